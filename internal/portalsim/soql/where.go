package soql

import (
	"slices"

	"padron/internal/portalsim/store"
)

// keyRange is what a conjunction asks of the key.
type keyRange struct {
	low, high []bound
	lists     [][]store.Value
	notNull   bool
	null      bool
}

// bound is one end of a range.
type bound struct {
	value     store.Value
	inclusive bool
}

// planWhere answers the conditions on the key by the order of the rows, and
// makes a filter of the others.
func (p *Plan) planWhere(where node) error {
	p.rows, p.keyless = p.s.Rows(), p.s.Keyless()
	if where == nil {
		return nil
	}
	var keys keyRange
	var rest []compiled
	for _, n := range conjuncts(where, nil) {
		if p.takeKey(&keys, n) {
			continue
		}
		c, err := p.compile(n)
		if err != nil {
			return err
		}
		if c.kind != store.KindCheckbox && !c.null {
			return errorf(CodeTypeMismatch, "Type mismatch for WHERE, is %s", c.kind)
		}
		rest = append(rest, c)
	}
	p.narrow(keys)
	switch len(rest) {
	case 0:
	case 1:
		p.filter = rest[0].eval
	default:
		p.filter = func(c *cursor) store.Value {
			for _, r := range rest {
				if !r.eval(c).True() {
					return store.BoolValue(false)
				}
			}
			return store.BoolValue(true)
		}
	}
	return nil
}

// conjuncts flattens a tree of ands.
func conjuncts(n node, list []node) []node {
	if l, ok := n.(logicNode); ok && l.op == "and" {
		return conjuncts(l.right, conjuncts(l.left, list))
	}
	return append(list, n)
}

// takeKey adds a condition to the key range, if it is one on the key alone.
func (p *Plan) takeKey(keys *keyRange, n node) bool {
	switch n := n.(type) {
	case compareNode:
		op, k, ok := p.keyComparison(n)
		if !ok {
			return false
		}
		keys.notNull = true
		if op == "=" || op[0] == '>' {
			keys.low = append(keys.low, bound{k, op != ">"})
		}
		if op == "=" || op[0] == '<' {
			keys.high = append(keys.high, bound{k, op != "<"})
		}
		return true
	case nullNode:
		column, ok := n.operand.(columnNode)
		if !ok || !p.s.IsKey(column.name) {
			return false
		}
		keys.notNull, keys.null = keys.notNull || n.not, keys.null || !n.not
		return true
	case inNode:
		list, ok := p.keyList(n)
		if !ok {
			return false
		}
		keys.lists = append(keys.lists, list)
		keys.notNull = true
		return true
	default:
		return false
	}
}

// keyComparison recognizes a comparison of the key with a literal, on either
// side. It returns the operator with the key on the left.
func (p *Plan) keyComparison(n compareNode) (op string, k store.Value, ok bool) {
	left, right, op := n.left, n.right, n.op
	if _, literalFirst := left.(literalNode); literalFirst {
		left, right = right, left
		op = map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
	}
	column, isColumn := left.(columnNode)
	lit, isLiteral := right.(literalNode)
	if !isColumn || !isLiteral || op == "<>" || !p.s.IsKey(column.name) {
		return "", store.Value{}, false
	}
	k, ok = p.keyLiteral(lit)
	return op, k, ok
}

// keyList recognizes a list of literals that the key must be in.
func (p *Plan) keyList(n inNode) (list []store.Value, ok bool) {
	column, ok := n.operand.(columnNode)
	if !ok || n.not || !p.s.IsKey(column.name) {
		return nil, false
	}
	for _, item := range n.list {
		lit, ok := item.(literalNode)
		if !ok {
			return nil, false
		}
		k, ok := p.keyLiteral(lit)
		if !ok {
			return nil, false
		}
		list = append(list, k)
	}
	return list, true
}

// keyLiteral returns a literal as a value of the key's type; ok is false when
// it is null or of another type.
func (p *Plan) keyLiteral(lit literalNode) (v store.Value, ok bool) {
	c, err := coerce(compileLiteral(lit), p.s.KeyKind(), "")
	return c.value, err == nil && !c.null
}

// narrow keeps the candidates within a key range.
func (p *Plan) narrow(keys keyRange) {
	if keys.notNull {
		p.keyless = nil
	}
	if keys.null {
		p.rows = nil
		return
	}
	all := p.s.Rows()
	from, to := 0, len(all)
	for _, b := range keys.low {
		from = max(from, p.s.Search(b.value, !b.inclusive))
	}
	for _, b := range keys.high {
		to = min(to, p.s.Search(b.value, b.inclusive))
	}
	p.rows = all[from:max(from, to)]
	if len(keys.lists) == 0 {
		return
	}
	places := []int{}
	for _, k := range keys.lists[0] {
		for i := max(from, p.s.Search(k, false)); i < min(to, p.s.Search(k, true)); i++ {
			places = append(places, i)
		}
	}
	slices.Sort(places)
	p.rows = nil
	for _, i := range slices.Compact(places) {
		k := p.s.Key(all[i])
		inAll := !slices.ContainsFunc(keys.lists[1:], func(list []store.Value) bool {
			return !slices.ContainsFunc(list, func(l store.Value) bool { return p.s.Compare(l, k) == 0 })
		})
		if inAll {
			p.rows = append(p.rows, all[i])
		}
	}
}
