package killat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported says whether programs can be stopped here.
const Supported = true

// calls are the system calls that change files, directories or sockets.
var calls = map[uint64]string{
	unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "pwrite", unix.SYS_WRITEV: "writev", unix.SYS_PWRITEV: "pwritev",
	unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync", unix.SYS_FTRUNCATE: "ftruncate", unix.SYS_FALLOCATE: "fallocate",
	unix.SYS_RENAME: "rename", unix.SYS_RENAMEAT: "renameat", unix.SYS_RENAMEAT2: "renameat2",
	unix.SYS_UNLINK: "unlink", unix.SYS_UNLINKAT: "unlinkat", unix.SYS_LINKAT: "linkat", unix.SYS_MKDIRAT: "mkdirat",
	unix.SYS_CONNECT: "connect", unix.SYS_SENDTO: "sendto", unix.SYS_COPY_FILE_RANGE: "copy_file_range",
}

const roleEnv = "POSTROOM_KILLAT"

// Init takes over the process when it was started as tracer or tracee, and
// returns at once otherwise.
func Init() {
	switch os.Getenv(roleEnv) {
	case "trace":
		os.Exit(trace())
	case "exec":
		fmt.Fprintln(os.Stderr, "killat:", becomeTraced())
		os.Exit(127)
	}
}

// Run runs a program under plan, with its standard output and error in out.
func Run(plan Plan, cmd []string, env []string, dir string, out io.Writer) (Result, error) {
	self, err := os.Executable()
	if err != nil {
		return Result{}, err
	}
	said, err := json.Marshal(plan)
	if err != nil {
		return Result{}, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return Result{}, err
	}
	defer r.Close()
	c := exec.Command(self, cmd...)
	c.Env = append(append(os.Environ(), env...), roleEnv+"=trace", roleEnv+"_PLAN="+string(said))
	c.Dir, c.Stdout, c.Stderr, c.ExtraFiles = dir, out, out, []*os.File{w}
	err = c.Start()
	w.Close()
	if err != nil {
		return Result{}, err
	}
	var res Result
	decodeErr := json.NewDecoder(r).Decode(&res)
	if err := c.Wait(); err != nil {
		return Result{}, fmt.Errorf("tracer: %w", err)
	}
	return res, decodeErr
}

// trace is the tracer: it starts the program and acts on its calls.
func trace() int {
	runtime.LockOSThread() // ptrace belongs to one thread
	var plan Plan
	if err := json.Unmarshal([]byte(os.Getenv(roleEnv+"_PLAN")), &plan); err != nil {
		return 125
	}
	os.Unsetenv(roleEnv + "_PLAN")
	os.Setenv(roleEnv, "exec")
	pid, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Ptrace: true},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "killat:", err)
		return 125
	}
	res, err := follow(pid, plan)
	if err != nil {
		unix.Kill(pid, unix.SIGKILL)
		fmt.Fprintln(os.Stderr, "killat:", err)
		return 125
	}
	if err := json.NewEncoder(os.NewFile(3, "result")).Encode(res); err != nil {
		return 125
	}
	return 0
}

func follow(pid int, plan Plan) (Result, error) {
	res := Result{Code: -1}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, unix.WALL, nil); err != nil {
		return res, err
	}
	const opts = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(pid, opts); err != nil {
		return res, err
	}
	if err := unix.PtraceCont(pid, 0); err != nil {
		return res, err
	}
	execs := 0
	for {
		tid, err := unix.Wait4(-1, &ws, unix.WALL, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.ECHILD) {
			return res, nil
		}
		if err != nil {
			return res, err
		}
		if ws.Exited() || ws.Signaled() {
			if tid == pid && ws.Exited() {
				res.Code = ws.ExitStatus()
			}
			continue
		}
		signal := 0
		switch {
		case ws.StopSignal() != unix.SIGTRAP:
			if ws.StopSignal() != unix.SIGSTOP { // the first stop of a new thread
				signal = int(ws.StopSignal())
			}
		case ws.TrapCause() == unix.PTRACE_EVENT_EXEC:
			execs++
		case ws.TrapCause() == unix.PTRACE_EVENT_SECCOMP && execs > 0:
			killed, err := act(pid, tid, plan, &res)
			if err != nil {
				return res, err
			}
			if killed {
				continue
			}
		}
		if err := unix.PtraceCont(tid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return res, err
		}
	}
}

// act counts one call and does to it what plan says.
func act(pid, tid int, plan Plan, res *Result) (killed bool, err error) {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		if errors.Is(err, unix.ESRCH) {
			return false, nil
		}
		return false, err
	}
	if n := regs.Orig_rax; (n == unix.SYS_WRITE || n == unix.SYS_WRITEV) && harmless(pid, regs.Rdi) {
		return false, nil
	}
	res.Calls++
	if plan.At == 0 || res.Calls < plan.At || res.Calls > plan.At && !plan.Keep {
		return false, nil
	}
	if res.Hit == "" {
		res.Hit = calls[regs.Orig_rax]
	}
	if plan.Errno == 0 {
		return true, unix.Kill(pid, unix.SIGKILL)
	}
	regs.Orig_rax = ^uint64(0)
	regs.Rax = uint64(-int64(plan.Errno))
	return false, unix.PtraceSetRegs(tid, &regs)
}

// harmless tells writes that nobody keeps: to the terminal or log, and to the
// runtime's own event counters.
func harmless(pid int, fd uint64) bool {
	if fd == 1 || fd == 2 {
		return true
	}
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	return err == nil && (to == "anon_inode:[eventfd]" || len(to) > 5 && to[:5] == "pipe:")
}

// becomeTraced installs the filter and becomes the program.
func becomeTraced() error {
	runtime.LockOSThread()
	os.Unsetenv(roleEnv)
	if len(os.Args) < 2 {
		return errors.New("no program")
	}
	path, err := exec.LookPath(os.Args[1])
	if err != nil {
		return err
	}
	env := os.Environ()
	if err := filter(); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return syscall.Exec(path, os.Args[1:], env)
}

// filter makes the kernel stop this thread, and what it becomes, at the calls.
func filter() error {
	const (
		ld, jeq, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
		allow, stop  = 0x7fff0000, 0x7ff00000
	)
	prog := []unix.SockFilter{{Code: ld, K: 0}}
	for n := range calls {
		prog = append(prog, unix.SockFilter{Code: jeq, K: uint32(n), Jf: 1}, unix.SockFilter{Code: ret, K: stop})
	}
	prog = append(prog, unix.SockFilter{Code: ret, K: allow})
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&fprog)), 0, 0)
}
