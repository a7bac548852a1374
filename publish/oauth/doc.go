// Package oauth gets and keeps the tokens of platforms that people log in to
// (OAuth 2): a [Login] takes a person through a platform's consent page, and a
// [Source] keeps what came of it fresh and gives it to a publisher.
//
// It does not know where grants are kept, nor does it open a browser or a port.
// Token calls go through publish.Client: a refresh token that may be used once
// must not be sent again by itself, as net/http and libraries that try several
// ways to log in may do. Start reading at [Source.Token].
package oauth
