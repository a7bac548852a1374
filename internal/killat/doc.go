// Package killat stops a program at the N-th system call that changes the
// world, or makes that call fail, counted over all its threads. Run with N = 1,
// 2, 3 … until the program passes untouched, and every boundary between two
// such calls has been tried (RELIABILITY §2.2, layers A and B).
//
// It works on the release binary: a seccomp filter stops only the calls that
// count, and ptrace decides what becomes of each. Linux on amd64 only; elsewhere
// [Supported] is false. The program that uses it must call [Init] first thing in
// main or TestMain, because it runs itself again as the tracer.
package killat

// A Plan says what to do to one run of a program. The zero Plan only counts.
type Plan struct {
	At    int  `json:"at"`    // the call to act on, from 1; 0 for none
	Errno int  `json:"errno"` // make it fail with this error number; 0 kills the program instead
	Keep  bool `json:"keep"`  // fail every call from there on, not only that one
}

// A Result is how a run went.
type Result struct {
	Calls int    `json:"calls"` // that counted
	Hit   string `json:"hit"`   // the name of the call that was acted on; "" when none was
	Code  int    `json:"code"`  // exit code, -1 when killed
}
