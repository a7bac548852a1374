package scheduler

import "slices"

// sortByTime sorts keys, each a Unix second in its upper 32 bits and an index in
// its lower ones, that are in order of their indexes. Most files are in order of
// time too. The others are sorted digit by digit, in far less time than
// comparing takes: each pass keeps what earlier ones did, so the indexes stay in
// order among equal times.
func sortByTime(keys []uint64) {
	if slices.IsSorted(keys) {
		return
	}
	const (
		digit  = 11 // bits
		digits = 1 << digit
	)
	least, most := slices.Min(keys)>>32, slices.Max(keys)>>32
	from, to := keys, make([]uint64, len(keys))
	for shift := 0; (most-least)>>shift > 0; shift += digit {
		var start [digits]int
		for _, k := range from {
			start[(k>>32-least)>>shift%digits]++
		}
		sum := 0
		for d, n := range start {
			start[d] = sum
			sum += n
		}
		for _, k := range from {
			d := (k>>32 - least) >> shift % digits
			to[start[d]] = k
			start[d]++
		}
		from, to = to, from
	}
	copy(keys, from)
}
