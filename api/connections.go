package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// connectionsBody answers platform-connections (CONTRACT §2.6).
type connectionsBody struct {
	Success     bool              `json:"success"`
	Connections []shownConnection `json:"connections"`
}

type shownConnection struct {
	PlatformID      post.ConnectionID `json:"platformId"`
	Platform        post.Platform     `json:"platform,omitempty"` // an addition of ours (A5)
	Username        string            `json:"username"`
	DisplayName     *string           `json:"displayName"`
	ProfileImageURL *string           `json:"profileImageUrl"`
	ProfileURL      *string           `json:"profileUrl"`

	AccessTokenExpiresAt stamp       `json:"accessTokenExpiresAt"`
	TokenStatus          string      `json:"tokenStatus"`
	TokenExpiresIn       *string     `json:"tokenExpiresIn"`
	LastSuccessfulPost   stamp       `json:"lastSuccessfulPost"`
	LastError            *shownError `json:"lastError"`
}

type shownError struct {
	Message    string `json:"message"`
	OccurredAt stamp  `json:"occurredAt"`
}

// platformConnections lists the account's connections as they are configured.
func (a *API) platformConnections(c *call) (any, error) {
	states, err := c.states()
	if err != nil {
		return nil, err
	}
	body := connectionsBody{Success: true, Connections: make([]shownConnection, len(c.account.Connections))}
	for i := range c.account.Connections {
		conn := &c.account.Connections[i]
		body.Connections[i] = showConnection(conn, states[conn.ID], c.now)
		if c.set.StrictCompat {
			body.Connections[i].Platform = ""
		}
	}
	return body, nil
}

// states returns what the store knows of the account's connections.
func (c *call) states() (map[post.ConnectionID]post.ConnectionState, error) {
	all, err := c.api.Store.Connections(c.Context())
	if err != nil {
		return nil, err
	}
	mine := map[post.ConnectionID]post.ConnectionState{}
	for _, s := range all {
		if s.Account == c.account.ID {
			mine[s.Connection] = s
		}
	}
	return mine, nil
}

func showConnection(conn *Connection, s post.ConnectionState, now time.Time) shownConnection {
	ends, status, in := conn.token(now)
	return shownConnection{
		PlatformID: conn.ID, Platform: conn.ID.Platform(), Username: conn.Username,
		DisplayName: known(conn.DisplayName), ProfileImageURL: known(conn.ImageURL), ProfileURL: known(conn.ProfileURL),
		AccessTokenExpiresAt: stamp(ends), TokenStatus: status, TokenExpiresIn: in, LastSuccessfulPost: stamp(s.LastSuccess), LastError: lastError(s),
	}
}

// token says until when a connection can send, and in the contract's words.
func (conn *Connection) token(now time.Time) (ends time.Time, status string, in *string) {
	ends, ended := conn.TokenExpires, false
	if conn.Login != nil {
		ends, ended = conn.Login()
	}
	if ended {
		return ends, expired, known(expired)
	}
	status, in = tokenState(ends, now)
	return ends, status, in
}

// known is null for a text that is not known.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func lastError(s post.ConnectionState) *shownError {
	if s.LastErrorAt.IsZero() {
		return nil
	}
	return &shownError{s.LastError, stamp(s.LastErrorAt)}
}

const expired = "expired"

// soon is how long before its end a token counts as expiring.
const soon = 7 * 24 * time.Hour

// tokenState says how long a token is good for, in the contract's words.
func tokenState(ends, now time.Time) (status string, in *string) {
	if ends.IsZero() {
		return "unknown", nil
	}
	left := ends.Sub(now)
	days, hours := int(left/(24*time.Hour)), int(left/time.Hour)
	status = "valid"
	if left < soon {
		status = "expiring_soon"
	}
	text := ""
	switch {
	case left <= 0:
		status, text = expired, expired
	case left < time.Hour:
		text = "< 1h"
	case days == 0:
		text = strconv.Itoa(hours) + "h"
	default:
		text = strconv.Itoa(days) + "d " + strconv.Itoa(hours%24) + "h"
	}
	return status, &text
}

// testedBody answers test-connection: the one answer without success (CONTRACT
// §2.7).
type testedBody struct {
	Platform           post.Platform     `json:"platform"`
	PlatformID         post.ConnectionID `json:"platformId"`
	Username           string            `json:"username"`
	Status             string            `json:"status"` // ok or error
	Message            string            `json:"message"`
	Permissions        []string          `json:"permissions"`
	TokenExpiresIn     *string           `json:"tokenExpiresIn"`
	LastSuccessfulPost stamp             `json:"lastSuccessfulPost"`
	LastError          *shownError       `json:"lastError"`
}

// testConnection asks the platform who a connection's credentials belong to.
func (a *API) testConnection(c *call) (any, error) {
	id := post.ConnectionID(c.PathValue("id"))
	if !strings.Contains(string(id), "-") {
		return nil, errBadRequest("Invalid platformId format")
	}
	conn := c.account.connection(id)
	if conn == nil {
		return nil, &Error{Status: http.StatusNotFound, Text: "Connection not found", Code: "CONNECTION_NOT_FOUND"}
	}
	states, err := c.states()
	if err != nil {
		return nil, err
	}
	s := states[id]
	out := testedBody{Platform: id.Platform(), PlatformID: id, Username: conn.Username, Status: "error", Permissions: []string{}, LastSuccessfulPost: stamp(s.LastSuccess), LastError: lastError(s)}
	if conn.Check == nil {
		out.Username, out.Message, out.LastSuccessfulPost, out.LastError = "unknown", "Unknown platform: "+string(id.Platform()), stamp{}, nil
		return out, nil
	}
	ctx, cancel := context.WithTimeout(c.Context(), checkWait)
	defer cancel()
	_, _, out.TokenExpiresIn = conn.token(c.now)
	who, err := conn.Check(ctx)
	if err != nil {
		out.Message = plainFailure(err)
		return out, nil
	}
	name := who.DisplayName
	if name == "" {
		name = who.Username
	}
	if who.Username != "" {
		out.Username = who.Username
	}
	if !who.ExpiresAt.IsZero() && conn.Login == nil {
		_, out.TokenExpiresIn = tokenState(who.ExpiresAt, c.now)
	}
	out.Status, out.Message = "ok", "Connected as "+name
	out.Permissions = append(out.Permissions, who.Permissions...)
	return out, nil
}

// checkWait bounds how long a platform is waited for.
const checkWait = 20 * time.Second

// plainFailure is what a platform said, without the words that are for us.
func plainFailure(err error) string {
	if f, ok := errors.AsType[*post.Failure](err); ok && f.Message != "" {
		return f.Message
	}
	return "The platform did not answer"
}
