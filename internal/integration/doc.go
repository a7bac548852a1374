// Package integration publishes from a calendar in an inbox to real servers that
// run on this machine: the Bluesky PDS, a Nostr relay, WordPress and a Slack
// emulator. It is tests alone, run by `make integration`; servers holds what
// each server needs to be installed and started.
//
// Every server is tried three times: with all that its connection can publish;
// with an answer that is lost after the server has committed; and with a daemon
// that is killed while it waits for that answer, and started again. Each post is
// then on the server once, or parked for a person where the platform cannot be
// asked.
package integration
