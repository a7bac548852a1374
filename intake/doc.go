// Package intake takes one file the whole way from bytes to stored posts: it
// picks the reader, checks each row against the platforms' limits, compares it
// with what earlier files brought, plans times and quotas, stores everything in
// one step and writes the report. `postroom check`, `postroom import`, the inbox
// and the upload endpoint all come through here.
//
// A file is read twice. The first pass keeps some forty bytes a row, enough to
// tell it from others and to plan its time; the second builds groups and report
// lines as it goes. So memory grows with the number of rows and not with what
// they say, and a file of a million rows needs little. One whose rows name media
// is read twice more in between: to learn what is to be taken, and to check the
// rows with what was.
//
// intake opens no file of the inbox and moves none: it is given the bytes, and
// says what should become of the original. Start reading at [Intake.Import].
package intake
