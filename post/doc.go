// Package post holds the words the rest of postroom speaks: drafts, post
// groups, platform posts, connections, receipts, failures and problems, their
// ids, and which status may follow which.
//
// It imports nothing of ours, does no I/O and knows no clock: an instant comes
// in as an argument. Start reading at [Draft] (what an importer yields),
// [Group] (what is stored) and [Status] (how a platform post moves).
package post
