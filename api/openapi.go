package api

import (
	_ "embed"
	"net/http"
)

// openAPI describes every call. It is written by hand; the tests hold every answer
// they get against it.
//
//go:embed openapi.json
var openAPI []byte

// serveOpenAPI shows the document to anybody: it holds nothing of the room.
func (a *API) serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(openAPI)
}
