// Package inbox notices files that somebody drops into a folder, waits until
// each has settled, hands it over exactly once, and files the original away.
//
// It knows no format. A [Handler] says whether a file's content is whole and what
// became of it; inbox says when to ask, and moves the original to archive/,
// rejected/ or held/ (DESIGN §4). It never edits, deletes or overwrites a file
// (P7), and never hands over one that somebody still writes to, as far as that
// can be known (P5):
//
//   - size, modification and change time, and inode stay still for a while;
//   - no process has it open for writing (a lease, where the file system has one);
//   - the handler calls its content whole;
//   - or an end mark NAME.done lies beside it, which stands for the first and the
//     third.
//
// No rule based on time can see that a writer died exactly at the end of a row
// (RELIABILITY §2.3). Writers that want certainty write into inbox/tmp/ and move,
// or leave an end mark. For the others a file is looked at for a quarter of an
// hour after it was taken, and [Handler.Changed] hears of a change.
//
// A scan of the folders is the truth, and file system events only wake one: they
// get lost in a storm, and do not exist on network shares (RELIABILITY §1.4).
//
// Start reading at [Inbox.Run]; one file's way is in consider.go.
package inbox
