package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"

	"github.com/postroom/postroom/internal/secret"
	"github.com/postroom/postroom/post"
)

// The decoder walks the syntax tree of goccy/go-yaml, because decoding into
// structs ends at the first mistake and people want to hear of all of them.

// maxConfig bounds a config in bytes, maxNesting how deep its brackets and
// lists nest: the parser's time grows with the square of the text, and its
// stack with the depth.
const (
	maxConfig  = 256 << 10
	maxNesting = 32
)

// A decoder reads one file and collects what is wrong with it.
type decoder struct {
	file     string                           // as it stands in messages
	env      func(name string) (string, bool) // nil: ${NAME} is text like any other
	problems []post.Problem
	literal  []string                         // settings whose secret stands in the file itself
	seen     func(path string, keys []string) // nil, or told every map that was read, with the keys it may have

	masterKey secret.Value // of the stored secrets, as far as the file says
}

func newDecoder(file string, env func(string) (string, bool)) *decoder {
	return &decoder{file: file, env: env}
}

// sorted returns the problems in the order of the file.
func (d *decoder) sorted() []post.Problem {
	slices.SortStableFunc(d.problems, func(a, b post.Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return d.problems
}

// A value is one node of the file and the path that leads to it.
type value struct {
	d    *decoder
	node ast.Node
	path string // accounts.acme.connections[0].id
}

// A setting is one key of a map and what reads its value.
type setting struct {
	key  string
	read func(v value)
}

// readConfigFile returns the text of a config and the file's mode.
func readConfigFile(path string) ([]byte, fs.FileMode, *post.Problem) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, &post.Problem{File: path, Want: "no such file", Hint: "`postroom init DIR` makes a room; --room DIR names one"}
	case err != nil:
		return nil, 0, &post.Problem{File: path, Want: err.Error()}
	case !info.Mode().IsRegular():
		return nil, 0, &post.Problem{File: path, Want: "a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, &post.Problem{File: path, Want: err.Error()}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, 0, &post.Problem{File: path, Want: err.Error()}
	}
	return text, info.Mode().Perm(), nil
}

// parse reads the text as one YAML document. ok is false when there is nothing
// to go on with; an empty document has a nil node.
func (d *decoder) parse(text []byte) (root value, ok bool) {
	root = value{d: d}
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	switch {
	case len(text) > maxConfig:
		root.problem(post.Problem{Want: fmt.Sprintf("at most %d KiB", maxConfig>>10)})
		return root, false
	case !utf8.Valid(text):
		root.problem(post.Problem{Want: "text in UTF-8", Hint: "save the file as UTF-8"})
		return root, false
	}
	if line, deep := nesting(text); deep {
		d.problems = append(d.problems, post.Problem{File: d.file, Line: line, Want: fmt.Sprintf("at most %d levels of nesting", maxNesting)})
		return root, false
	}
	file, err := parseYAML(text)
	if err != nil {
		d.problems = append(d.problems, d.syntax(err))
		return root, false
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType && doc.Body.Type() != ast.CommentGroupType {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) > 1 {
		value{d: d, node: bodies[1]}.problem(post.Problem{Want: "one document", Hint: "remove the line ---"})
		return root, false
	}
	if len(bodies) == 1 {
		root.node = bodies[0]
	}
	return root, true
}

// parseYAML turns a panic of the parser into an error: a file must not be able
// to end the daemon that reads it anew.
func parseYAML(text []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("this is not readable YAML")
		}
	}()
	return yamlparser.ParseBytes(text, 0, yamlparser.AllowDuplicateMapKey())
}

// syntax words an error of the parser, without the lines around it, which may
// hold secrets.
func (d *decoder) syntax(err error) post.Problem {
	p := post.Problem{File: d.file, Want: "not YAML", Hint: "look at the indentation, the quotes and the brackets around this line"}
	var s *yaml.SyntaxError
	if errors.As(err, &s) {
		p.Want = "not YAML: " + s.Message
		if s.Token != nil && s.Token.Position != nil {
			p.Line, p.Column = s.Token.Position.Line, s.Token.Position.Column
		}
	}
	return p
}

// nesting returns the line in which brackets or list dashes nest too deeply.
// It does not know quotes: text with dozens of open brackets in it is refused
// too, and no setting needs such.
func nesting(text []byte) (line int, deep bool) {
	line, open := 1, 0
	dashes, margin := 0, true // dashes before anything else in the line
	for _, c := range text {
		switch c {
		case '\n':
			line++
			dashes, margin = 0, true
		case '[', '{':
			open++
		case ']', '}':
			open = max(0, open-1)
		case '-', '?', ':':
			if margin {
				dashes++
			}
		case ' ', '\t':
		default:
			margin = false
		}
		if open > maxNesting || dashes > maxNesting {
			return line, true
		}
	}
	return 0, false
}

// problem records what is wrong at v.
func (v value) problem(p post.Problem) {
	p.File, p.Field = v.d.file, v.path
	if v.node != nil {
		p.Line, p.Column = place(v.node)
	}
	v.d.problems = append(v.d.problems, p)
}

// place returns line and column of the first thing in n.
func place(n ast.Node) (line, column int) {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return place(m.Values[0].Key)
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		return place(m.Key)
	}
	tk := n.GetToken()
	if tk == nil || tk.Position == nil {
		return 0, 0
	}
	return tk.Position.Line, tk.Position.Column
}

// kind names what v is, for people.
func (v value) kind() string {
	switch v.node.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tag"
	case ast.MapNode:
		return "a map"
	case ast.ArrayNode:
		return "a list"
	case *ast.MappingKeyNode:
		return "a complex key"
	}
	return "a single value"
}

// isNot records that v is not what is wanted.
func (v value) isNot(want string) {
	hint := ""
	switch v.kind() {
	case "nothing":
		hint = "give it a value, or remove the line"
	case "an anchor or alias", "a tag":
		hint = "write the value itself"
	}
	v.problem(post.Problem{Want: "want " + want + ", not " + v.kind(), Hint: hint})
}

// entries calls fn for each entry of a map, in the order of the file; key is
// the key's own place, and shown how it may stand in messages. Keys that come
// twice are recorded, and the first counts.
func (v value) entries(want string, shown func(name string) string, fn func(name string, key, v value)) {
	if v.kind() != "a map" {
		v.isNot("a map of " + want)
		return
	}
	lines := map[string]int{}
	for it := v.node.(ast.MapNode).MapRange(); it.Next(); {
		key := value{v.d, it.Key(), v.path}
		if key.kind() != "a single value" {
			key.isNot("a plain key")
			continue
		}
		name := it.Key().GetToken().Value
		key.path = join(v.path, shown(name))
		if before, again := lines[name]; again {
			key.problem(post.Problem{Want: fmt.Sprintf("given twice: it stands in line %d already", before), Hint: "remove one"})
			continue
		}
		lines[name], _ = place(key.node)
		fn(name, key, value{v.d, it.Value(), key.path})
	}
}

// asSetting shows a key that has the form of a setting's. Another may be a
// setting that lost its colon, with the secret that follows in it.
func asSetting(name string) string {
	if len(name) > 24 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "…"
	}
	return name
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// settings reads a map that may have no other keys than the known ones, and
// returns what it has. The settings are read in the order of known.
func (v value) settings(known []setting) map[string]value {
	present, others := v.someSettings(known)
	for _, o := range others {
		o.key.problem(post.Problem{Want: "no such setting", Hint: suggest(o.name, settingNames(known))})
	}
	return present
}

// An entry is one key of a map with its value.
type entry struct {
	name       string
	key, value value
}

// someSettings reads the known keys of a map in the order of known, and returns
// those it has and the other entries of the map.
func (v value) someSettings(known []setting) (present map[string]value, others []entry) {
	names := settingNames(known)
	if v.d.seen != nil {
		v.d.seen(v.path, names)
	}
	present = map[string]value{}
	if v.node == nil {
		return present, nil // an empty file
	}
	v.entries("settings", asSetting, func(name string, key, v value) {
		if slices.Contains(names, name) {
			present[name] = v
		} else {
			others = append(others, entry{name, key, v})
		}
	})
	for _, s := range known {
		if v, ok := present[s.key]; ok {
			s.read(v)
		}
	}
	return present, others
}

// settingNames lists the keys of settings.
func settingNames(known []setting) []string {
	names := make([]string, len(known))
	for i, s := range known {
		names[i] = s.key
	}
	return names
}

// suggest words the nearest name, or all of them.
func suggest(name string, names []string) string {
	near := post.Nearest(name, names)
	for _, n := range names {
		if near == "" && len(name) > 3 && strings.HasPrefix(n, name) {
			near = n
		}
	}
	if near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "want one of " + strings.Join(names, ", ")
}

// section returns what reads a map of settings.
func section(known []setting) func(value) {
	return func(v value) { v.settings(known) }
}

// off reads a map of settings, or the single word off.
func (v value) off(off func(), known []setting) {
	if v.kind() == "a single value" {
		scalar(new(bool), parser[bool]{want: "off, or a map of settings", parse: func(text string) (bool, string, bool) {
			on, _, ok := yesNo.parse(text)
			if ok = ok && !on; ok {
				off()
			}
			return true, "", ok
		}})(v)
		return
	}
	v.settings(known)
}

// list calls fn for each entry of a list.
func (v value) list(want string, fn func(v value)) {
	if v.kind() != "a list" {
		v.isNot("a list of " + want)
		return
	}
	i := 0
	for it := v.node.(ast.ArrayNode).ArrayRange(); it.Next(); i++ {
		fn(value{v.d, it.Value(), fmt.Sprintf("%s[%d]", v.path, i)})
	}
}

// raw returns a single value as it is written.
func (v value) raw(want string) (string, bool) {
	if v.kind() != "a single value" {
		v.isNot(want)
		return "", false
	}
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return v.node.GetToken().Value, true
}

// text returns a single value with its ${NAME} filled in.
func (v value) text(want string) (string, bool) {
	raw, ok := v.raw(want)
	if !ok {
		return "", false
	}
	return v.expand(raw)
}

// expand fills in each ${NAME}; $${ stands for ${.
func (v value) expand(raw string) (string, bool) {
	if v.d.env == nil {
		return raw, true
	}
	var b strings.Builder
	whole := true
	for {
		before, rest, found := strings.Cut(raw, "${")
		b.WriteString(before)
		if !found {
			return b.String(), whole
		}
		if literal, escaped := strings.CutSuffix(b.String(), "$"); escaped {
			b.Reset()
			b.WriteString(literal + "${")
			raw = rest
			continue
		}
		name, rest, closed := strings.Cut(rest, "}")
		if !closed || !isEnvName(name) {
			v.problem(post.Problem{Want: "want the name of an environment variable, like ${MASTODON_TOKEN}", Hint: "write $${ for the text ${"})
			return "", false
		}
		text, set := v.d.env(name)
		if !set {
			v.problem(post.Problem{Want: fmt.Sprintf("the environment variable %s is not set", name), Hint: fmt.Sprintf("export %s, or write the value into a file of mode 600 and name it as file:PATH", name)})
			whole = false
		}
		b.WriteString(text)
		raw = rest
	}
}

func isEnvName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == "" && (s[0] < '0' || s[0] > '9')
}
