package soql

import (
	"slices"

	"padron/internal/portalsim/store"
)

// Options are what the portal decides about a query's answer.
type Options struct {
	// HideComputed leaves the :@computed_region_ columns out of whole rows
	// when the query has an order.
	HideComputed bool
	// Salt decides the order of rows that the query does not tell apart. 0
	// keeps it the same for every request of one version.
	Salt uint64
	// Raw is what the answer has in place of rows, by key, where it is rows with
	// more than one column.
	Raw map[string]string
}

// Plan is a query bound to a snapshot: which rows it reads by the key, what it
// filters, and what it renders. It may be used more than once, but not by two
// goroutines.
type Plan struct {
	s       *store.Snapshot
	salt    uint64
	raw     map[string]string // by key, see Options.Raw
	aliases map[string]node

	rows    []store.Row // candidates, in key order
	keyless []store.Row // candidates without a key
	filter  evaluator   // nil keeps all candidates

	star     bool     // the answer is whole rows, rendered in one pass
	system   bool     // the system columns come first
	prefixes []string // of whole rows, by slot
	outputs  []output

	grouped    bool
	groupNodes []node
	groups     []compiled
	aggregates []aggregate

	order         []sorting
	byKey         bool // the candidates are in the order that is asked for
	byKeyDesc     bool // or in the opposite one
	limit, offset int
}

// output is one column of the answer.
type output struct {
	name   string
	kind   store.Kind
	prefix string // `,"name":`
	eval   evaluator
	index  int // of a grouped query: the place in a group's values
}

// Field is the name and the data type of a column of the answer.
type Field struct {
	Name string
	Kind store.Kind
}

// Plan binds the query to a snapshot. The error is an *Error.
func (q *Query) Plan(s *store.Snapshot, o Options) (*Plan, error) {
	p := &Plan{s: s, salt: o.Salt, raw: o.Raw, aliases: map[string]node{}, limit: q.limit, offset: q.offset}
	for _, item := range q.items {
		if item.alias == "" {
			continue
		}
		if _, ok := p.aliases[item.alias]; ok {
			return nil, errorf(CodeDuplicateAlias, "Duplicate alias: %s", item.alias)
		}
		p.aliases[item.alias] = item.expr
	}
	if err := p.planWhere(q.where); err != nil {
		return nil, err
	}
	if err := p.planSelect(q, o.HideComputed && len(q.order) > 0); err != nil {
		return nil, err
	}
	if err := p.planOrder(q.order); err != nil {
		return nil, err
	}
	return p, nil
}

// Fields lists the columns of the answer.
func (p *Plan) Fields() []Field {
	fields := make([]Field, len(p.outputs))
	for i, o := range p.outputs {
		fields[i] = Field{o.name, o.kind}
	}
	return fields
}

// Repeatable reports whether another plan of the query over the same snapshot
// gives the same answer.
func (p *Plan) Repeatable() bool { return len(p.raw) == 0 && (p.salt == 0 || p.byKey) }

// SameAnswer reports whether an earlier plan of the same query, if repeatable,
// gives the same answer: no row that it reads has changed since.
func (p *Plan) SameAnswer(earlier *Plan) bool {
	if p.s == earlier.s {
		return true
	}
	return p.byKey && p.filter == nil && !p.grouped && p.s.SameColumns(earlier.s) &&
		slices.Equal(p.rows, earlier.rows) && slices.Equal(p.keyless, earlier.keyless)
}
