package main

import (
	"os"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// smallHeap is what the heap may grow to, in bytes, before garbage is collected,
// however little of it is in use. A daemon that publishes uses three or four MiB,
// and Go would collect whenever as much again was allocated: a tenth of what a post
// costs. A heap of which more than half of this is in use is left to Go.
const smallHeap = 24 << 20

// easeCollector has a small heap collected less often, unless the environment says
// how often.
func easeCollector() {
	if os.Getenv("GOGC") == "" {
		ease()
	}
}

// ease sets what the next collection waits for, and does so again after it.
func ease() {
	live := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtimemetrics.Read(live)
	debug.SetGCPercent(easePercent(live[0].Value.Uint64()))
	next := &struct{ _ *int }{} // nothing keeps it: the next collection takes it
	runtime.AddCleanup(next, func(struct{}) { ease() }, struct{}{})
}

// easePercent returns by how much of what is in use, in bytes, a heap may grow.
func easePercent(live uint64) int {
	const go100 = 100 // Go's own
	return max(go100, int(smallHeap*100/max(live, 1<<20))-100)
}
