package profile

import (
	"slices"
	"unicode/utf8"

	"github.com/axiomhq/hyperloglog"
)

const (
	// MaxExact is how many values of a field are counted exactly, whatever the
	// number of rows and pages.
	MaxExact = 1000

	// A field with more values has the frequent ones counted: when maxListed are
	// listed, those that are not among the first keptListed are dropped. Few
	// enough for some 600 kB a field while a page is cleaned, of which two are at
	// once, and enough to find a value that every two thousandth row has.
	maxListed  = 8192
	keptListed = 2048

	// storedListed is how many of them are stored with a page: some kB.
	storedListed = 256

	// precision of the HyperLogLog that counts many values: 2^13 registers, 3.4 kB
	// compressed, a standard error of 1.04/sqrt(2^13).
	precision = 13

	// DistinctError is the error of the number of values where it is an estimate,
	// as a share of it: three standard errors, which 997 of 1,000 estimates keep.
	DistinctError = 0.0345

	// maxText bounds what is kept of a value, in bytes.
	maxText = 160
)

// column describes one field. While it has at most MaxExact values, all of them
// are listed and counted exactly. Beyond, a HyperLogLog counts the values, and of
// the listed ones the bounds hold: a value has at least its rows and at most more
// rows than these, and one that is not listed has at most unlisted rows.
type column struct {
	present  int64
	listed   []value
	index    index  // of the listed values
	last     int    // the value of the row before, mostly that of the next one too
	texts    []byte // of the listed values
	unlisted int64
	many     *hyperloglog.Sketch // nil while there are few values
	years    map[int]int64
}

// value is one that is listed.
type value struct {
	hash uint64
	rows int64
	more int64
	at   uint32 // of its text in texts
	size uint16 // 0: its text is not kept, or empty
	cut  bool   // its text is not all of it
}

func (v *value) atMost() int64 { return v.rows + v.more }

func (c *column) text(v *value) []byte { return c.texts[v.at : v.at+uint32(v.size)] }

// year counts rows of a year.
func (c *column) year(year int, rows int64) {
	if c.years == nil {
		c.years = map[int]int64{}
	}
	c.years[year] += rows
}

// add counts one more row with a value. Of a sensitive one only the hash is
// kept, while there are few, and nothing beyond.
func (c *column) add(hash uint64, text []byte, sensitive bool) {
	if c.many != nil && sensitive {
		c.many.InsertHash(hash)
		return
	}
	if c.last < len(c.listed) && c.listed[c.last].hash == hash {
		c.listed[c.last].rows++
		return
	}
	if at := c.index.find(c.listed, hash); at >= 0 {
		c.listed[at].rows++
		c.last = at
		return
	}
	if sensitive {
		text = nil
	}
	c.list(value{hash: hash, rows: 1, more: c.unlisted}, text, len(text) > maxText)
	if c.many != nil {
		c.many.InsertHash(hash)
	}
	c.bound(sensitive)
}

// list lists a value that is not listed.
func (c *column) list(v value, text []byte, cut bool) {
	if cut && len(text) > maxText {
		text = text[:maxText]
		for len(text) > 0 {
			if r, size := utf8.DecodeLastRune(text); r != utf8.RuneError || size != 1 {
				break
			}
			text = text[:len(text)-1]
		}
	}
	v.at, v.size, v.cut = uint32(len(c.texts)), uint16(len(text)), cut
	c.texts = append(c.texts, text...)
	c.listed = append(c.listed, v)
	c.index.add(c.listed)
}

// bound keeps the column within its bounds, after values were listed.
func (c *column) bound(sensitive bool) {
	if c.many == nil {
		if len(c.listed) <= MaxExact {
			return
		}
		c.counting()
		if sensitive {
			c.listed, c.index, c.texts = nil, index{}, nil
		}
	}
	if len(c.listed) >= maxListed {
		c.drop(keptListed)
	}
}

// counting begins to count the values by a HyperLogLog. All values there are so
// far are listed.
func (c *column) counting() {
	if c.many != nil {
		return
	}
	// Registers at once: so the state is the same in whatever order the values
	// come and sketches are merged. The precision is a good one.
	c.many, _ = hyperloglog.NewSketch(precision, false)
	for i := range c.listed {
		c.many.InsertHash(c.listed[i].hash)
	}
}

// drop leaves at most keep values listed, those that may have the most rows; of
// equals all or none.
func (c *column) drop(keep int) {
	if len(c.listed) <= keep {
		return
	}
	bounds := make([]int64, len(c.listed))
	for i := range c.listed {
		bounds[i] = c.listed[i].atMost()
	}
	slices.Sort(bounds)
	limit := bounds[len(bounds)-keep-1]
	c.unlisted = max(c.unlisted, limit)
	c.index.clear()
	kept, texts := c.listed[:0], c.texts[:0] // both in place: texts lie in the order of their values
	for _, v := range c.listed {
		if v.atMost() <= limit {
			continue
		}
		text := c.text(&v)
		v.at = uint32(len(texts))
		texts = append(texts, text...)
		kept = append(kept, v)
		c.index.add(kept)
	}
	c.listed, c.texts = kept, texts
}

// merge adds what another column describes of other rows.
func (c *column) merge(other *column, sensitive bool) error {
	c.present += other.present
	for year, rows := range other.years {
		c.year(year, rows)
	}
	if other.many != nil {
		c.counting()
		if err := c.many.Merge(other.many); err != nil {
			return err
		}
		if sensitive {
			c.listed, c.index, c.texts = nil, index{}, nil
		}
	}
	if sensitive && c.many != nil {
		for i := range other.listed {
			c.many.InsertHash(other.listed[i].hash)
		}
		return nil
	}
	own := len(c.listed)
	for i := range own {
		c.listed[i].more += other.unlisted
	}
	for i := range other.listed {
		v := &other.listed[i]
		if c.many != nil && other.many == nil {
			c.many.InsertHash(v.hash)
		}
		if at := c.index.find(c.listed, v.hash); at >= 0 {
			c.listed[at].rows += v.rows
			c.listed[at].more += v.more - other.unlisted
			continue
		}
		c.list(value{hash: v.hash, rows: v.rows, more: v.more + c.unlisted}, other.text(v), v.cut)
	}
	c.unlisted += other.unlisted
	c.bound(sensitive)
	return nil
}
