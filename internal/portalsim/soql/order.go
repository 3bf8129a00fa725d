package soql

import (
	"slices"

	"padron/internal/portalsim/store"
)

// sorting is one item of the order.
type sorting struct {
	eval      evaluator
	index     int // of a grouped query: the place in a group's values
	desc      bool
	nullFirst bool
}

func (p *Plan) planOrder(items []orderItem) error {
	for _, item := range items {
		o, err := p.planSorting(item)
		if err != nil {
			return err
		}
		p.order = append(p.order, o)
	}
	if len(items) == 0 || p.grouped {
		return nil
	}
	first := items[0]
	column, ok := first.expr.(columnNode)
	isKey := ok && p.s.IsKey(column.name) && first.nullFirst == first.desc
	unique := p.s.Unique() && len(p.keyless) < 2
	p.byKey = isKey && (unique || p.salt == 0 && len(items) == 1)
	p.byKeyDesc = first.desc
	return nil
}

func (p *Plan) planSorting(item orderItem) (sorting, error) {
	o := sorting{desc: item.desc, nullFirst: item.nullFirst}
	if !p.grouped {
		c, err := p.compile(p.resolve(item.expr))
		if err != nil {
			return o, err
		}
		if c.kind == store.KindPoint || c.kind == store.KindLocation {
			return o, errorf(CodeTypeMismatch, "Type mismatch for order by, is %s", c.kind)
		}
		o.eval = c.eval
		return o, nil
	}
	// The implicit name of an aggregate, such as count, may be ordered by, too.
	if column, ok := item.expr.(columnNode); ok {
		if i := slices.IndexFunc(p.outputs, func(o output) bool { return o.name == column.name }); i >= 0 {
			o.index = p.outputs[i].index
			return o, nil
		}
	}
	var err error
	_, o.index, err = p.groupedIndex(item.expr)
	return o, err
}

// compare orders two values, nulls included.
func (o *sorting) compare(s *store.Snapshot, a, b store.Value) int {
	switch {
	case !a.Set && !b.Set:
		return 0
	case !a.Set || !b.Set:
		if !a.Set == o.nullFirst {
			return -1
		}
		return 1
	case o.desc:
		return -s.Compare(a, b)
	default:
		return s.Compare(a, b)
	}
}

// candidates is the number of rows before the filter.
func (p *Plan) candidates() int { return len(p.rows) + len(p.keyless) }

// candidate returns the i-th row before the filter: in key order or, when the
// query does not ask for that, in an arbitrary one.
func (p *Plan) candidate(i int) store.Row {
	n := p.candidates()
	switch {
	case p.byKey && p.byKeyDesc:
		i = n - 1 - i // nulls come first
	case !p.byKey:
		i = p.shuffle(i, n)
	}
	if i < len(p.rows) {
		return p.rows[i]
	}
	return p.keyless[i-len(p.rows)]
}

// shuffle is a permutation of 0 to n-1 that depends on the version and the salt
// only: i times a number coprime to n, plus another.
func (p *Plan) shuffle(i, n int) int {
	m := uint64(n)
	h := p.s.Hash(0x5eed + p.salt)
	step := h%m | 1
	for gcd(step, m) != 1 {
		step++
	}
	return int((uint64(i)*(step%m) + h>>32%m) % m)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// filtered yields the candidates that pass the filter.
func (p *Plan) filtered(yield func(*cursor) bool) {
	c := &cursor{s: p.s}
	for i := range p.candidates() {
		c.move(p.candidate(i))
		if (p.filter == nil || p.filter(c).True()) && !yield(c) {
			return
		}
	}
}

// answer yields the rows of the page in order.
func (p *Plan) answer(yield func(*cursor) bool) {
	if p.limit == 0 {
		return
	}
	switch {
	case len(p.order) > 0 && !p.byKey:
		c := &cursor{s: p.s}
		for _, row := range p.sorted() {
			c.move(row)
			if !yield(c) {
				return
			}
		}
	case p.filter == nil:
		c := &cursor{s: p.s}
		for i := min(p.offset, p.candidates()); i < min(p.offset+p.limit, p.candidates()); i++ {
			c.move(p.candidate(i))
			if !yield(c) {
				return
			}
		}
	default:
		skip, left := p.offset, p.limit
		for c := range p.filtered {
			if skip > 0 {
				skip--
				continue
			}
			if left--; !yield(c) || left == 0 {
				return
			}
		}
	}
}

// sorted gathers the rows that pass the filter, sorts them and cuts the page
// out. Ties stay in the arbitrary order.
func (p *Plan) sorted() []store.Row {
	type sortable struct {
		row store.Row
		by  []store.Value
	}
	var list []sortable
	var slab []store.Value // one allocation for the values of many rows
	for c := range p.filtered {
		if cap(slab)-len(slab) < len(p.order) {
			slab = make([]store.Value, 0, 1024*len(p.order))
		}
		from := len(slab)
		for _, o := range p.order {
			slab = append(slab, o.eval(c))
		}
		list = append(list, sortable{c.row, slab[from:len(slab):len(slab)]})
	}
	slices.SortStableFunc(list, func(a, b sortable) int {
		for i, o := range p.order {
			if order := o.compare(p.s, a.by[i], b.by[i]); order != 0 {
				return order
			}
		}
		return 0
	})
	list = page(list, p.offset, p.limit)
	rows := make([]store.Row, len(list))
	for i, s := range list {
		rows[i] = s.row
	}
	return rows
}

// page cuts a page out of a list. Offsets and limits may be as large as an int.
func page[T any](list []T, offset, limit int) []T {
	list = list[min(offset, len(list)):]
	return list[:min(limit, len(list))]
}
