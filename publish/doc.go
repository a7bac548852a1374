// Package publish holds what all platforms share: counting a text the way a
// platform does ([Count]), cutting it into a thread ([Split]), checking content
// against a platform's limits ([Rules]), an HTTP client that never repeats a
// request and knows how far one got ([Client]), the media of a post
// ([MediaRoom]) and sending a thread part by part ([SendParts]).
//
// Each platform has a folder of its own below this one, with a Config and a
// New(Config) (*Publisher, error). This package does not choose among them (one
// list in cmd does), keeps no queue and retries nothing: a [post.Failure] says
// how far a send got, and the caller decides. Start reading at [Publisher].
package publish
