// Package report turns what became of a file's rows into files that people open:
//
//	NAME.report.csv     the input with result columns after it, a line for each row and platform
//	NAME.rejected.csv   only the rows that were not taken, to mend and drop again
//	NAME.report.html    one page to look at
//	NAME.report.json    the same for machines
//
// A [Builder] is given the rows one by one and keeps only what the page shows, so
// memory does not grow with the file. All files become visible together, each
// whole, when [Files.Commit] says so. The same Builder writes them again when
// outcomes arrive: it shows each group as it is then.
package report
