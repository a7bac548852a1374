package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postroom/postroom/internal/killat"
)

// TestMain lets the test binary be the program itself, for scripts and sweeps,
// and the tracer that stops it.
func TestMain(m *testing.M) {
	killat.Init()
	if os.Getenv(naiveEnv) != "" {
		os.Exit(naive())
	}
	if os.Getenv(clientEnv) != "" {
		os.Exit(serveToClient())
	}
	if len(os.Args) > 1 && os.Args[1] == hiddenVerify {
		os.Exit(run()) // doctor looks at a store in a process of its own
	}
	testscript.Main(m, map[string]func(){"postroom": func() { os.Exit(run()) }})
}
