//go:build !(linux && amd64)

package killat

import (
	"errors"
	"io"
)

// Supported says whether programs can be stopped here.
const Supported = false

// Init does nothing here.
func Init() {}

// Run is not to be had here.
func Run(Plan, []string, []string, string, io.Writer) (Result, error) {
	return Result{}, errors.New("killat: linux on amd64 only")
}
