package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/internal/vault"
	"github.com/postroom/postroom/post"
)

// Where the master key is looked for when the config has no master_key.
const (
	masterKeyEnv        = "POSTROOM_MASTER_KEY"
	masterKeyCredential = "postroom.master_key" // of systemd, by LoadCredential
)

// errNoMasterKey says that there is nothing to open the stored secrets with.
var errNoMasterKey = &hinted{
	errors.New("there is no master key for the stored secrets"),
	"make one with `postroom connections new-key PATH`, and set master_key: file:PATH in the config, " + masterKeyEnv + ", or LoadCredential=" + masterKeyCredential + ":PATH in the systemd unit",
}

// vaultPath is where the secrets of the room at dir are stored.
func vaultPath(dir string) string { return filepath.Join(dir, "data", "credentials.json") }

// openVault opens the stored secrets of the room at dir. key is what the config
// says, if anything.
func openVault(dir string, key secret.Value, env func(string) (string, bool)) (*vault.Vault, error) {
	from := "master_key"
	if text, ok := env(masterKeyEnv); key.IsZero() && ok && text != "" {
		key, from = secret.New(strings.TrimSpace(text)), masterKeyEnv
	}
	if folder, ok := env("CREDENTIALS_DIRECTORY"); key.IsZero() && ok && folder != "" {
		b, err := os.ReadFile(filepath.Join(folder, masterKeyCredential))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read the systemd credential %s: %s", masterKeyCredential, reason(err))
		}
		key, from = secret.New(strings.TrimSpace(string(b))), "the systemd credential "+masterKeyCredential
	}
	if key.IsZero() {
		return nil, errNoMasterKey
	}
	v, err := vault.Open(vaultPath(dir), key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return v, nil
}

// masterKey reads the setting master_key of a config, and nothing else of it:
// the rest may name secrets that are still to be stored.
func masterKey(path string, env func(string) (string, bool)) (secret.Value, error) {
	text, _, problem := readConfigFile(path)
	if problem != nil {
		return secret.Value{}, &ConfigError{[]post.Problem{*problem}}
	}
	var key secret.Value
	d := newDecoder(path, env)
	if root, ok := d.parse(text); ok && root.kind() == "a map" {
		root.someSettings([]setting{{"master_key", ownSecret(&key)}})
	}
	if problems := d.sorted(); post.HasErrors(problems) {
		return secret.Value{}, &ConfigError{problems}
	}
	return key, nil
}

// stored fetches a secret that `connections add` stored.
func (v value) stored(name string) (string, bool) {
	if err := vault.CheckName(name); err != nil {
		v.problem(post.Problem{Want: "stored:NAME: want letters, digits and . _ : % - in the name"})
		return "", false
	}
	text, err := v.d.secret(name)
	switch h := (*hinted)(nil); {
	case err == nil:
		return text, true
	case errors.Is(err, vault.ErrNone):
		v.problem(post.Problem{Got: "stored:" + name, Want: "a secret that is stored", Hint: "`postroom connections add " + name + "` stores it"})
	case errors.As(err, &h):
		v.problem(post.Problem{Want: h.Error(), Hint: h.hint})
	default:
		v.problem(post.Problem{Want: err.Error(), Hint: "look at master_key"})
	}
	return "", false
}

// secret returns what is stored under a name in the room of the config.
func (d *decoder) secret(name string) (string, error) {
	v, err := openVault(filepath.Dir(d.file), d.masterKey, d.env)
	if err != nil {
		return "", err
	}
	text, err := v.Get(name)
	return string(text), err
}

// badSecret says what is wrong with the text of a secret, without showing it; ""
// when nothing is.
func badSecret(text string) (want, hint string) {
	switch {
	case len(text) > maxSecret:
		return fmt.Sprintf("is over %d KiB", maxSecret>>10), ""
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return "holds a space or a line break", "look whether all of it was pasted, and nothing else"
	}
	return "", ""
}

func (a *app) addSecretCommand() *cobra.Command {
	return &cobra.Command{
		Use: "add NAME", Short: "Store a secret, encrypted: the config has it as stored:NAME", Args: cobra.ExactArgs(1),
		Long: "Stores a token or password under a name, most often that of its connection. It is asked for\n" +
			"on the terminal, or read from standard input; never from the command line, which others can see.",
		RunE: func(c *cobra.Command, args []string) error { return a.addSecret(c.Context(), args[0]) },
	}
}

func (a *app) addSecret(ctx context.Context, name string) error {
	if err := vault.CheckName(name); err != nil {
		return usageError("%w", err)
	}
	v, err := a.vault()
	if err != nil {
		return err
	}
	if _, err := v.Names(); err != nil { // a wrong key is said before a secret is typed in
		return err
	}
	text, err := a.readSecret("secret to store as " + name)
	if err != nil {
		return err
	}
	if text == "" {
		return usageError("nothing was given to store")
	}
	if want, hint := badSecret(text); want != "" {
		return &exitError{exitUsage, &hinted{fmt.Errorf("the secret %s", want), hint}}
	}
	if err := v.Put(ctx, name, []byte(text)); err != nil {
		return err
	}
	a.notef("stored: the config has it as stored:%s. A postroom that runs takes it when it reads its config again.", name)
	return nil
}

func (a *app) removeSecretCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a stored secret", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := a.vault()
			if err != nil {
				return err
			}
			err = v.Delete(c.Context(), args[0])
			if errors.Is(err, vault.ErrNone) {
				names, listing := v.Names()
				if listing != nil {
					return listing
				}
				hint := "nothing is stored"
				if len(names) > 0 {
					hint = "stored are " + strings.Join(names, ", ")
				}
				return &exitError{exitUsage, &hinted{err, hint}}
			}
			if err == nil {
				a.notef("removed: the platform still takes it until it is revoked there")
			}
			return err
		},
	}
}

func (a *app) newKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "new-key FILE", Short: "Make a master key for stored secrets", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := os.OpenFile(a.path(args[0]), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			_, err = io.WriteString(f, vault.NewKey().Reveal()+"\n")
			if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
				return err
			}
			a.notef("made %s: name it in the config as master_key: file:PATH. Keep a copy in another place than the\nbackups: without it nobody can read what is stored.", args[0])
			return nil
		},
	}
}

// vault opens the stored secrets of the room that the command line names. A
// daemon in that room does not have to be asked: the file serves many.
func (a *app) vault() (*vault.Vault, error) {
	dir := a.path(a.dir)
	key, err := masterKey(filepath.Join(dir, configName), a.env)
	if err != nil {
		return nil, err
	}
	return openVault(dir, key, a.env)
}

// readSecret asks for a secret on the terminal, without an echo, or reads all of
// standard input.
func (a *app) readSecret(what string) (string, error) {
	if f, ok := a.stdin.(*os.File); ok && isTerminal(f) {
		fmt.Fprintf(a.stderr, "%s (not shown): ", what)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.stderr)
		return string(bytes.TrimSpace(b)), err
	}
	if a.stdin == nil {
		return "", nil
	}
	b, err := io.ReadAll(io.LimitReader(a.stdin, maxSecret+2))
	return string(bytes.TrimSpace(b)), err
}
