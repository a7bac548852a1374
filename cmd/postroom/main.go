// Command postroom takes content calendars from an inbox folder, plans them,
// publishes what is due at every minute and reports what became of each row.
//
// This package holds flags, config, wiring, signals and exit codes; what
// postroom does lives in the packages beside it. Start reading at [room], which
// puts them together, and at runDaemon.
package main

import (
	"context"
	"os"
	"os/signal"
	"os/user"
	"syscall"
	_ "time/tzdata" // zones must resolve on machines without a zone database
)

func main() {
	os.Exit(run())
}

func run() int {
	easeCollector()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cwd, err := os.Getwd()
	if err != nil {
		cwd = "."
	}
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, cwd: cwd, env: os.LookupEnv, tty: isTerminal(os.Stderr), user: userName()}
	return a.execute(ctx, os.Args[1:])
}

// userName is who runs the program, or "" when the system does not tell.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
