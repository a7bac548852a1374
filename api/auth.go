package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// The request headers of the contract, and those of its ancestor, which mean the
// same (CONTRACT §1, §10).
const (
	headerKey    = "x-api-key"
	headerUser   = "x-postpost-user-id"
	headerClient = "x-postpost-client"

	headerKeyBefore  = "x-publora-key"
	headerUserBefore = "x-publora-user-id"
)

var ownHeaders = []string{headerKey, headerUser, headerClient, headerKeyBefore, headerUserBefore}

// MostKeys is how many keys of an account may be in use (CONTRACT §1).
const MostKeys = 10

// NewKey makes a key of an account, made at now: the key itself, to be shown
// once, and what is stored of it. It has the form that clients of the contract
// check for: sk_<time>_<hex>.<hex>, where what stands before the dot names it.
func NewKey(now time.Time, account post.AccountID, name string) (string, post.APIKey, error) {
	var b [36]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", post.APIKey{}, err
	}
	id := "sk_" + strconv.FormatInt(now.UnixMilli(), 36) + "_" + hex.EncodeToString(b[:4])
	key := id + "." + hex.EncodeToString(b[4:])
	return key, post.APIKey{ID: id, Account: account, Name: name, Hash: sha256.Sum256([]byte(key)), CreatedAt: now.UTC()}, nil
}

// keyOf returns the key a request came with, "" for none.
func keyOf(r *http.Request) string {
	for _, name := range []string{headerKey, headerKeyBefore} {
		if k := strings.TrimSpace(r.Header.Get(name)); k != "" {
			return k
		}
	}
	scheme, k, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(k)
	}
	return ""
}

// authenticate finds whose request it is, in the order of checks of CONTRACT §1.
func (a *API) authenticate(r *http.Request) (Account, post.APIKey, error) {
	given := keyOf(r)
	if given == "" {
		return Account{}, post.APIKey{}, &Error{Status: http.StatusUnauthorized, Text: "API key is required", Code: "API_KEY_REQUIRED"}
	}
	id, _, _ := strings.Cut(given, ".")
	key, err := a.Store.APIKey(r.Context(), id)
	if err != nil && !errors.Is(err, post.ErrNotFound) {
		return Account{}, key, err
	}
	hash := sha256.Sum256([]byte(given))
	same := subtle.ConstantTimeCompare(hash[:], key.Hash[:]) == 1
	if err != nil || !same || !key.RevokedAt.IsZero() {
		return Account{}, key, a.wrongKey(r)
	}
	acc, ok := a.Account(key.Account)
	if !ok {
		return Account{}, key, &Error{Status: http.StatusUnauthorized, Text: "Invalid API key owner", Code: "INVALID_API_KEY_OWNER"}
	}
	mcp := strings.EqualFold(r.Header.Get(headerClient), "mcp")
	switch {
	case mcp && !acc.Plan.MCP:
		return acc, key, &Error{Status: http.StatusForbidden, Text: "MCP access is not enabled for this account", Code: "MCP_ACCESS_DISABLED"}
	case !mcp && !acc.Plan.API:
		return acc, key, &Error{Status: http.StatusForbidden, Text: "API access is not enabled for this account", Code: "API_ACCESS_DISABLED"}
	}
	return acc, key, a.checkUser(r, acc.ID)
}

// checkUser looks at who the caller wants to act as. An account is one user here,
// so anybody else is refused.
func (a *API) checkUser(r *http.Request, account post.AccountID) error {
	user := r.Header.Get(headerUser)
	if user == "" {
		user = r.Header.Get(headerUserBefore)
	}
	if user == "" {
		return nil
	}
	id, err := post.ParseID(user)
	switch {
	case err != nil:
		return &Error{Status: http.StatusBadRequest, Text: "Invalid x-postpost-user-id", Code: "INVALID_USER_ID"}
	case id != UserID(account):
		return &Error{Status: http.StatusForbidden, Text: "Workspace access is not enabled for this key", Code: "WORKSPACE_ACCESS_DISABLED"}
	}
	return nil
}

// UserID is the id that the contract's clients know an account by.
func UserID(account post.AccountID) post.ID {
	sum := sha256.Sum256([]byte("postroom account " + string(account)))
	return post.ID(sum[:post.IDLen])
}
