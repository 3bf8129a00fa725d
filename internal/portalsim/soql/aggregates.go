package soql

import (
	"reflect"
	"slices"
	"strconv"

	"padron/internal/portalsim/store"
)

// aggregate is one aggregate function of a grouped query.
type aggregate struct {
	call callNode
	kind store.Kind
	arg  compiled // unused for count(*)
}

// state is an aggregate over the rows of one group so far.
type state struct {
	count int64
	sum   float64
	best  store.Value
	seen  map[string]struct{} // of count(distinct x)
}

func isAggregate(n node) bool {
	call, ok := n.(callNode)
	return ok && slices.Contains([]string{"count", "min", "max", "sum", "avg"}, call.name)
}

func (a *aggregate) add(st *state, c *cursor) {
	if a.call.star {
		st.count++
		return
	}
	v := a.arg.eval(c)
	if !v.Set {
		return
	}
	if a.call.distinct {
		if st.seen == nil {
			st.seen = map[string]struct{}{}
		}
		id := v.Identity()
		if _, ok := st.seen[id]; ok {
			return
		}
		st.seen[id] = struct{}{}
	}
	st.count++
	switch a.call.name {
	case "min":
		if !st.best.Set || c.s.Compare(v, st.best) < 0 {
			st.best = v
		}
	case "max":
		if !st.best.Set || c.s.Compare(v, st.best) > 0 {
			st.best = v
		}
	case "sum", "avg":
		st.sum += v.Number()
	}
}

func (a *aggregate) result(st *state) store.Value {
	switch {
	case a.call.name == "count":
		return store.NumberValue(strconv.FormatInt(st.count, 10))
	case a.call.name == "min", a.call.name == "max":
		return st.best
	case st.count == 0:
		return store.Value{}
	case a.call.name == "avg":
		return store.NumberValue(strconv.FormatFloat(st.sum/float64(st.count), 'f', -1, 64))
	default:
		return store.NumberValue(strconv.FormatFloat(st.sum, 'f', -1, 64))
	}
}

func (p *Plan) planGroups(group []node) error {
	for _, n := range group {
		n = p.resolve(n)
		c, err := p.compile(n)
		if err != nil {
			return err
		}
		p.groupNodes = append(p.groupNodes, n)
		p.groups = append(p.groups, c)
	}
	return nil
}

// groupedIndex finds an expression of a grouped query in a group's values: the
// groups first, then the aggregates, to which it may be added.
func (p *Plan) groupedIndex(n node) (k store.Kind, index int, err error) {
	n = p.resolve(n)
	for i, g := range p.groupNodes {
		if reflect.DeepEqual(n, g) {
			return p.groups[i].kind, i, nil
		}
	}
	call, ok := n.(callNode)
	if !ok || !isAggregate(n) {
		if _, err := p.compile(n); err != nil {
			return 0, 0, err
		}
		return 0, 0, errorf(CodeNotGrouped, "Column not in group bys: %s", implicitAlias(n, 0))
	}
	for i, a := range p.aggregates {
		if reflect.DeepEqual(call, a.call) {
			return a.kind, len(p.groups) + i, nil
		}
	}
	a, err := p.compileAggregate(call)
	if err != nil {
		return 0, 0, err
	}
	p.aggregates = append(p.aggregates, a)
	return a.kind, len(p.groups) + len(p.aggregates) - 1, nil
}

func (p *Plan) compileAggregate(call callNode) (aggregate, error) {
	a := aggregate{call: call, kind: store.KindNumber}
	if call.star && call.name == "count" {
		return a, nil
	}
	if len(call.args) != 1 {
		return a, errorf(CodeNoSuchFunction, "No such function: %s/%d", call.name, len(call.args))
	}
	var err error
	if a.arg, err = p.compile(call.args[0]); err != nil {
		return a, err
	}
	switch call.name {
	case "sum", "avg":
		if a.arg.kind != store.KindNumber {
			return a, errorf(CodeTypeMismatch, "Type mismatch for %s, is %s", call.name, a.arg.kind)
		}
	case "min", "max":
		a.kind = a.arg.kind
	}
	return a, nil
}

// aggregate computes the groups: of each the values that it groups by, then the
// aggregates. They are in order and cut to the page.
func (p *Plan) aggregate() [][]store.Value {
	if p.countOnly() {
		return page([][]store.Value{{store.NumberValue(strconv.Itoa(p.candidates()))}}, p.offset, p.limit)
	}
	type bucket struct {
		values []store.Value
		states []state
	}
	byID := map[string]*bucket{}
	var buckets []*bucket
	newBucket := func(id string, values []store.Value) *bucket {
		b := &bucket{values: slices.Clone(values), states: make([]state, len(p.aggregates))}
		byID[id] = b
		buckets = append(buckets, b)
		return b
	}
	if len(p.groups) == 0 {
		newBucket("", nil)
	}
	var id []byte
	values := make([]store.Value, len(p.groups))
	for c := range p.filtered {
		id = id[:0]
		for j, g := range p.groups {
			values[j] = g.eval(c)
			if values[j].Set {
				id = strconv.AppendQuote(id, values[j].Identity()) // null is no text, and not the empty one
			}
			id = append(id, 0)
		}
		b := byID[string(id)]
		if b == nil {
			b = newBucket(string(id), values)
		}
		for j := range p.aggregates {
			p.aggregates[j].add(&b.states[j], c)
		}
	}
	results := make([][]store.Value, len(buckets))
	for i, b := range buckets {
		results[i] = b.values
		for j := range p.aggregates {
			results[i] = append(results[i], p.aggregates[j].result(&b.states[j]))
		}
	}
	slices.SortStableFunc(results, func(a, b []store.Value) int {
		for _, o := range p.order {
			if order := o.compare(p.s, a[o.index], b[o.index]); order != 0 {
				return order
			}
		}
		return 0
	})
	return page(results, p.offset, p.limit)
}

// countOnly reports whether the answer is the number of candidates.
func (p *Plan) countOnly() bool {
	return len(p.groups) == 0 && p.filter == nil && len(p.aggregates) == 1 && p.aggregates[0].call.star
}
