package store

import (
	"cmp"
	"hash/maphash"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// tallyBits is the size of the bitmap in which a column's values are counted
// when its dictionary is full: 1 MiB, enough for ten million distinct ones.
const tallyBits = 1 << 23

// Contents describes the values of one column.
type Contents struct {
	Set               int // rows in which it is not null
	Distinct          int // estimated within a few thousandths beyond 8192 values
	Smallest, Largest string
	Top               []Frequency // the most frequent values, the first ones first
}

// Frequency is how many rows have a value.
type Frequency struct {
	Value string
	Rows  int
}

// tally counts the values of one slot. Words of the dictionary are counted by
// their place, other values by their hash, with the first row that has each.
// Where the dictionary is full there may be millions of others: those only set
// a bit each, from which their number is estimated.
type tally struct {
	set, rest         int // all cells; cells that are counted in bits only
	words             []int
	others            map[uint64]other
	bits              []uint64
	smallest, largest Value
	compare           func(a, b Value) int
}

type other struct{ count, row uint32 }

// Contents describes every column, with so many of its most frequent values. It
// reads all rows once.
func (s *Snapshot) Contents(top int) map[string]Contents {
	seed := maphash.MakeSeed()
	tallies := make([]tally, len(s.slots))
	for i := range tallies {
		tallies[i] = tally{words: make([]int, len(s.slots[i].words)), others: map[uint64]other{}, compare: s.Compare}
		if len(s.slots[i].words) == maxWords {
			tallies[i].bits = make([]uint64, tallyBits/64)
		}
	}
	at := func(i int) Row {
		if i < len(s.rows) {
			return s.rows[i]
		}
		return s.keyless[i-len(s.rows)]
	}
	for i := range s.Len() {
		r := s.Record(at(i))
		pos := maskSize
		for slot := range s.slots {
			if !r.set(slot) {
				continue
			}
			end := r.skip(s.slots[slot].kind, pos)
			tallies[slot].add(&r, slot, pos, end, uint32(i), seed)
			pos = end
		}
	}
	all := map[string]Contents{}
	for _, c := range s.columns {
		if c.Constant != nil {
			item := c.Constant.String()
			all[c.Name] = Contents{Set: s.Len(), Distinct: 1, Smallest: item, Largest: item, Top: []Frequency{{item, s.Len()}}}
			continue
		}
		all[c.Name] = tallies[c.Slot].contents(top, s.slots[c.Slot], seed, func(row uint32) Value {
			r := s.Record(at(int(row)))
			return r.Cell(c.Slot)
		})
	}
	return all
}

// add counts the cell of a slot that lies between pos and end.
func (t *tally) add(r *Record, slot, pos, end int, row uint32, seed maphash.Seed) {
	t.set++
	text := r.data[pos:end]
	if k := r.slots[slot].kind; k != KindCheckbox && k != KindCalendarDate {
		h, start := r.uvarint(pos)
		if h&1 == 1 {
			t.words[h>>1]++
			return
		}
		text = r.data[start:end]
	}
	id := maphash.String(seed, text)
	if t.bits != nil {
		t.rest++
		t.bits[id%tallyBits/64] |= 1 << (id % 64)
		t.widen(r.cellAt(slot, pos))
		return
	}
	seen, ok := t.others[id]
	if !ok {
		seen.row = row
		t.widen(r.cellAt(slot, pos))
	}
	seen.count++
	t.others[id] = seen
}

// widen moves the smallest or the largest value, if v lies outside.
func (t *tally) widen(v Value) {
	if !t.smallest.Set || t.compare(v, t.smallest) < 0 {
		t.smallest = v
	}
	if !t.largest.Set || t.compare(v, t.largest) > 0 {
		t.largest = v
	}
}

// estimate returns the number of distinct values behind the set bits: linear
// counting (Whang, Vander-Zanden and Taylor, 1990).
func (t *tally) estimate() int {
	zero := tallyBits
	for _, w := range t.bits {
		zero -= bits.OnesCount64(w)
	}
	return min(t.rest, int(math.Round(-tallyBits*math.Log(float64(max(1, zero))/tallyBits))))
}

// contents sums a tally up. cell reads the slot in a row, to name a value that
// is known by its hash only.
func (t *tally) contents(top int, s slot, seed maphash.Seed, cell func(row uint32) Value) Contents {
	counts := map[string]int{}
	for i, n := range t.words {
		if n == 0 {
			continue
		}
		// Edits write a value into the record even when the dictionary has
		// it: that is one value, not two.
		raw := s.words[i].raw
		id := maphash.String(seed, raw)
		counts[raw] = n + int(t.others[id].count)
		delete(t.others, id)
		t.widen(Value{Kind: s.kind, Set: true, Text: raw})
	}
	c := Contents{Set: t.set, Distinct: len(counts) + len(t.others) + t.estimate()}
	frequent := slices.SortedFunc(maps.Values(t.others), func(a, b other) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.row, b.row))
	})
	for _, o := range frequent[:min(len(frequent), top)] {
		counts[cell(o.row).String()] = int(o.count)
	}
	if t.set > 0 {
		c.Smallest, c.Largest = t.smallest.String(), t.largest.String()
	}
	for item, n := range counts {
		c.Top = append(c.Top, Frequency{item, n})
	}
	slices.SortFunc(c.Top, func(a, b Frequency) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Value, b.Value))
	})
	c.Top = c.Top[:min(len(c.Top), top)]
	return c
}
