// Package api serves the post room over HTTP: JSON in and out, by the PostPost
// contract, so that programs written for that API work here with nothing changed
// but the base URL.
//
// It reads requests, checks them in the contract's order, asks the store for one
// change, and writes the contract's words. What it does not do: keep anything
// itself, publish, read files, or know what a platform is beyond its limits. What
// it needs of others stands in small interfaces in api.go; cmd/postroom fills
// them in.
//
// Start reading at [New], which lists every route, then auth.go and call.go for
// what all of them share, then create.go for the first one.
package api
