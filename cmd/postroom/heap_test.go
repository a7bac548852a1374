package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestASmallHeapMayGrowToItsSizeAndALargeOneAsGoHasIt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ live, want int }{
		{0, 2300},
		{3 << 20, 700},
		{12 << 20, 100},
		{300 << 20, 100},
	} {
		if got := easePercent(uint64(tt.live)); got != tt.want {
			t.Errorf("easePercent(%d) = %d, want %d", tt.live, got, tt.want)
		}
	}
}

// Each collection sets anew what the next one waits for.
func TestTheCollectorIsEasedAfterEachCollection(t *testing.T) {
	ease()
	for range 2 {
		const other = 777
		debug.SetGCPercent(other)
		runtime.GC()
		for end := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
			percent := debug.SetGCPercent(other)
			if percent != other {
				break
			}
			if time.Now().After(end) {
				t.Fatal("after a collection the percentage stays as it was")
			}
		}
	}
}
