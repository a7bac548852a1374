// Package store keeps everything postroom must not forget in one bbolt file:
// post groups with their platform posts, imports and what became of their rows,
// usage, leases and logs. Each method is one transaction whose meaning is fixed;
// there is no Get or Put, and no iterator that outlives a call.
//
// What makes it safe to send from:
//
//   - [Store.Next] writes the intent to send before anybody sends, fenced by the
//     epoch of the connection's lease, and [Store.Finish] writes the outcome;
//   - a file's groups are staged out of sight and become live in one small
//     transaction ([Stage.Seal]);
//   - the file lock is the fence between processes: at open every older lease is
//     void, and what it left in flight is an orphan to be looked up;
//   - a failed write or fsync breaks the store for good ([Store.Failed]): the
//     next start recovers from disk, and nothing is retried.
//
// What it does not do: decide when something is sent, or how often it is tried.
// Start reading at keys.go for the layout, then index.go, queue.go and stage.go.
package store
