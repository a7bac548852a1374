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
	testscript.Main(m, map[string]func(){"postroom": func() { os.Exit(run()) }})
}
