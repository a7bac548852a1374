package main

import (
	"net/http"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
)

// newAPI makes the HTTP API of a room.
func (d *daemon) newAPI() http.Handler {
	r := d.room
	return api.New(api.Config{
		Store: r.store, Account: r.apiAccount, Now: r.now, Log: r.log,
		Settings: func() api.Settings { return r.config().API },
	})
}

// apiAccount says what the API must know of an account.
func (r *room) apiAccount(id post.AccountID) (api.Account, bool) {
	cfg := r.accountConfig(id)
	if cfg == nil {
		return api.Account{}, false
	}
	acc := api.Account{ID: id, Plan: cfg.Plan}
	acc.Plan.API = acc.Plan.API || cfg.APIAccess
	acc.Plan.MCP = acc.Plan.MCP || cfg.MCPAccess
	for _, c := range r.connections(id, nil) {
		acc.Connections = append(acc.Connections, api.Connection{
			ID: c.id, Username: c.id.Raw(), Validate: c.publisher.Validate, Check: c.publisher.Check,
		})
	}
	return acc, true
}
