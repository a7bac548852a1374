package radix

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// Hashes of all kinds: even ones, few different ones, and those that differ in some
// of their bytes alone.
func TestHashesAreSortedAndKeepTheirOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, mask := range []uint64{^uint64(0), 0, 7, 0xff << 56, 0xf << 30, 0xff00ff00ff00ff, 0xff<<56 | 3} {
		for _, n := range []int{0, 1, few, few + 1, 1000, 70_000} {
			refs := make([]Ref, n)
			for i := range refs {
				refs[i] = Ref{random.Uint64() & mask, uint32(i)}
			}
			want := slices.Clone(refs)
			slices.SortStableFunc(want, func(a, b Ref) int { return cmp.Compare(a.Hash, b.Hash) })
			var scratch []Ref
			if n%2 == 0 {
				scratch = make([]Ref, n+1)
			}
			SortHashes(refs, scratch)
			if !slices.Equal(refs, want) {
				t.Errorf("%d hashes of mask %x are not sorted as a stable sort leaves them", n, mask)
			}
		}
	}
}

func TestTimesAreSortedAndKeepTheirOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, span := range []int64{1, 60, 5000, 1 << 31} {
		keys := make([]uint64, 10_000)
		for i := range keys {
			keys[i] = uint64(random.Int64N(span)+1_000_000)<<32 | uint64(i)
		}
		want := slices.Sorted(slices.Values(keys))
		SortTimes(keys)
		if !slices.Equal(keys, want) {
			t.Errorf("times within %d seconds are not sorted", span)
		}
	}
	SortTimes([]uint64(nil))
}

func BenchmarkSortHashes(b *testing.B) {
	refs, scratch := make([]Ref, 1_000_000), make([]Ref, 1_000_000)
	random := rand.New(rand.NewPCG(5, 6))
	for b.Loop() {
		for i := range refs {
			refs[i] = Ref{random.Uint64(), uint32(i)}
		}
		SortHashes(refs, scratch)
	}
}
