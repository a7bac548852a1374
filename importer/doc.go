// Package importer turns a CSV file or an Excel workbook, as people and their programs
// really write them, into drafts and problems. It is given bytes and never touches the file
// system.
//
// [Open] looks the whole file over once: encoding, delimiter, header row, and
// how each date column orders day and month. [File.Rows] then yields the rows,
// each with its physical line, the record as written, and a draft or the reasons
// why there is none; it may be called again and yields the same. Memory does not
// grow with the file.
//
// [OpenWorkbook] does the same with a sheet of a workbook: workbook.go rewrites it as
// CSV text in memory, and its lines are the rows of the sheet.
//
// The work is cut in layers: decode.go makes UTF-8 of what came, records.go cuts
// it into records and survives damage, header.go and survey.go find out what the
// columns mean, gocsv fills the row struct (bind.go), and drafts.go with times.go
// and cells.go make drafts of it.
package importer
