package importer

import "bytes"

// delimiters are the ones that occur, the likelier first.
var delimiters = []byte{',', ';', '\t', '|'}

// sniff finds the delimiter from the first records: the one under which most
// column names are known, then the one that gives most rows of the same width
// above one (INGEST §4.1).
func sniff(head []byte, whole bool) byte {
	best, bestScore := delimiters[0], -1
	for _, d := range delimiters {
		if s := score(head, d, whole); s > bestScore {
			best, bestScore = d, s
		}
	}
	return best
}

// sniffRows is how many records sniff looks at.
const sniffRows = 50

func score(head []byte, delim byte, whole bool) int {
	if bytes.IndexByte(head, delim) < 0 {
		return 0
	}
	f := File{opt: Options{Limits: DefaultLimits()}}
	recs := f.headRecords(head, delim, whole, sniffRows)
	names, widths := 0, map[int]int{}
	for i := range recs {
		if recs[i].fault != noFault {
			continue
		}
		if i <= mostPreamble {
			if cells := cellsOf(&recs[i]); len(cells) > 1 {
				names = max(names, known(cells))
			}
		}
		widths[recs[i].cells()]++
	}
	most := 0
	for w, n := range widths {
		if w > 1 {
			most = max(most, n)
		}
	}
	s := names * 1000
	if len(recs) > 0 {
		s += most * 100 / len(recs)
	}
	return s
}

// named reports whether one of the first rows holds known column names under a
// delimiter.
func named(head []byte, delim byte, whole bool) bool {
	return score(head, delim, whole) >= 1000
}
