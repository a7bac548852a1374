package scheduler

import (
	"math/bits"
)

// A paged holds values of type P, one for each page of minutes, and nothing for
// pages nobody touched: times cluster, however far apart they lie.
type paged[P any] struct {
	first int // number of pages[0]
	pages []*P
}

// page returns a page, or nil when it was never touched.
func (p *paged[P]) page(n int) *P {
	if i := n - p.first; uint(i) < uint(len(p.pages)) {
		return p.pages[i]
	}
	return nil
}

// touch returns a page and makes it when there is none.
func (p *paged[P]) touch(n int) *P {
	switch {
	case len(p.pages) == 0:
		p.first = n
	case n < p.first:
		p.pages = append(make([]*P, p.first-n, p.first-n+len(p.pages)), p.pages...)
		p.first = n
	}
	for len(p.pages) <= n-p.first {
		p.pages = append(p.pages, nil)
	}
	at := &p.pages[n-p.first]
	if *at == nil {
		*at = new(P)
	}
	return *at
}

// clone copies all pages.
func (p *paged[P]) clone() paged[P] {
	c := paged[P]{first: p.first, pages: make([]*P, len(p.pages))}
	for i, from := range p.pages {
		if from != nil {
			v := *from
			c.pages[i] = &v
		}
	}
	return c
}

const (
	pageMinutes = 4096
	pageWords   = pageMinutes / 64
)

// A minuteSet is a set of minutes, counted from 1970: a bitmap in pages.
type minuteSet struct {
	paged[[pageWords]uint64]
}

// word returns the 64 minutes from 64×i.
func (s *minuteSet) word(i int) uint64 {
	if p := s.page(i / pageWords); p != nil {
		return p[i%pageWords]
	}
	return 0
}

// from returns 64 minutes, the lowest bit for minute m.
func (s *minuteSet) from(m int) uint64 {
	i, shift := m/64, m%64
	w := s.word(i) >> shift
	if shift > 0 {
		w |= s.word(i+1) << (64 - shift)
	}
	return w
}

func (s *minuteSet) has(m int) bool { return s.word(m/64)>>(m%64)&1 != 0 }

// add puts in the minutes from lo up to, but not including, hi.
func (s *minuteSet) add(lo, hi int) {
	for lo = max(0, lo); lo < hi; {
		i, shift := lo/64, lo%64
		n := min(64-shift, hi-lo)
		s.touch(i / pageWords)[i%pageWords] |= ^uint64(0) >> (64 - n) << shift
		lo += n
	}
}

// remove takes one minute out.
func (s *minuteSet) remove(m int) {
	if p := s.page(m / pageMinutes); p != nil {
		p[m%pageMinutes/64] &^= 1 << (m % 64)
	}
}

// merge puts in all minutes of o.
func (s *minuteSet) merge(o *minuteSet) {
	for n, from := range o.pages {
		if from == nil {
			continue
		}
		to := s.touch(o.first + n)
		for i, w := range from {
			to[i] |= w
		}
	}
}

// after returns the first minute from m on that is not in s.
func (s *minuteSet) after(m int) int {
	for {
		n := bits.TrailingZeros64(^s.from(m))
		m += n
		if n < 64 {
			return m
		}
	}
}

// each calls fn with every minute, in order.
func (s *minuteSet) each(fn func(m int)) {
	for n, p := range s.pages {
		if p == nil {
			continue
		}
		for i, w := range p {
			for ; w != 0; w &= w - 1 {
				fn((s.first+n)*pageMinutes + i*64 + bits.TrailingZeros64(w))
			}
		}
	}
}

// A minuteCount counts something for each minute.
type minuteCount struct {
	paged[[pageMinutes]int32]
}

// add changes the count of minute m by n and returns it.
func (c *minuteCount) add(m, n int) int {
	v := &c.touch(m / pageMinutes)[m%pageMinutes]
	*v += int32(n)
	return int(*v)
}

// each calls fn with every minute whose count is not 0.
func (c *minuteCount) each(fn func(m, n int)) {
	for at, p := range c.pages {
		if p == nil {
			continue
		}
		for i, n := range p {
			if n != 0 {
				fn((c.first+at)*pageMinutes+i, int(n))
			}
		}
	}
}
