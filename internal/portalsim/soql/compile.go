package soql

import (
	"padron/internal/portalsim/store"
)

// cursor is the row that expressions are evaluated on.
type cursor struct {
	s      *store.Snapshot
	row    store.Row
	record store.Record
}

func (c *cursor) move(row store.Row) {
	c.row = row
	c.record = c.s.Record(row)
}

// evaluator computes an expression on a row.
type evaluator func(*cursor) store.Value

// compiled is an expression bound to columns and types.
type compiled struct {
	kind    store.Kind
	null    bool // the literal null, which is of any type
	literal bool
	value   store.Value // of a literal
	eval    evaluator
}

func literal(v store.Value) compiled {
	return compiled{kind: v.Kind, null: !v.Set, literal: true, value: v, eval: func(*cursor) store.Value { return v }}
}

func condition(eval evaluator) compiled { return compiled{kind: store.KindCheckbox, eval: eval} }

// compile binds an expression that is no aggregate.
func (p *Plan) compile(n node) (compiled, error) {
	switch n := n.(type) {
	case literalNode:
		return compileLiteral(n), nil
	case columnNode:
		return p.compileColumn(n)
	case callNode:
		return p.compileCall(n)
	case compareNode:
		return p.compileCompare(n)
	case nullNode:
		operand, err := p.compile(n.operand)
		return condition(func(c *cursor) store.Value { return store.BoolValue(operand.eval(c).Set == n.not) }), err
	case inNode:
		return p.compileIn(n)
	case likeNode:
		return p.compileLike(n)
	case logicNode:
		return p.compileLogic(n)
	case notNode:
		operand, err := p.compileBool(n.operand, "not")
		return condition(func(c *cursor) store.Value { return negate(operand.eval(c)) }), err
	default:
		return compiled{}, errorf(CodeMalformed, "Could not parse SoQL: unknown expression")
	}
}

func compileLiteral(n literalNode) compiled {
	switch {
	case n.null:
		return literal(store.Value{})
	case n.kind == store.KindCheckbox:
		return literal(store.BoolValue(n.text == "true"))
	default:
		return literal(store.Value{Kind: n.kind, Set: true, Text: n.text})
	}
}

func (p *Plan) compileColumn(n columnNode) (compiled, error) {
	if c, ok := p.s.Column(n.name); ok {
		return compiled{kind: c.Kind, eval: columnEvaluator(c)}, nil
	}
	for i, c := range store.SystemColumns() {
		if c.Name == n.name {
			return compiled{kind: c.Kind, eval: systemEvaluator(i)}, nil
		}
	}
	err := errorf(CodeNoSuchColumn, "No such column: %s", n.name)
	err.Data = map[string]any{"column": n.name}
	return compiled{}, err
}

func columnEvaluator(c store.Column) evaluator {
	if c.Constant != nil {
		constant := *c.Constant
		return func(*cursor) store.Value { return constant }
	}
	slot := c.Slot
	return func(cur *cursor) store.Value { return cur.record.Cell(slot) }
}

func systemEvaluator(index int) evaluator {
	return func(cur *cursor) store.Value { return cur.s.System(cur.row, index) }
}

// coerce makes a text literal a value of another type, as the portal does.
// Everything else must have the type already. where names the place in errors.
func coerce(c compiled, k store.Kind, where string) (compiled, error) {
	if c.null || c.kind == k {
		return c, nil
	}
	if c.literal && c.kind == store.KindText {
		text := c.value.Text
		var v store.Value
		ok := false
		switch k {
		case store.KindNumber:
			v, ok = store.ParseNumber(text)
		case store.KindCheckbox:
			v, ok = store.BoolValue(text == "true"), text == "true" || text == "false"
		case store.KindCalendarDate:
			v, ok = store.ParseDate(text)
		case store.KindFixedTimestamp:
			v, ok = store.ParseDate(text)
			v.Kind = k
		default: // the others have no literals
		}
		if ok {
			return literal(v), nil
		}
	}
	return compiled{}, errorf(CodeTypeMismatch, "Type mismatch for %s, is %s", where, c.kind)
}

// unify gives both sides of a comparison one type.
func unify(a, b compiled, where string) (compiled, compiled, error) {
	if a.null || b.null {
		return a, b, nil
	}
	var err error
	if a.literal && a.kind == store.KindText {
		a, err = coerce(a, b.kind, where)
	} else {
		b, err = coerce(b, a.kind, where)
	}
	return a, b, err
}

func (p *Plan) compileCompare(n compareNode) (compiled, error) {
	left, err := p.compile(n.left)
	if err != nil {
		return compiled{}, err
	}
	right, err := p.compile(n.right)
	if err != nil {
		return compiled{}, err
	}
	left, right, err = unify(left, right, "#"+n.op)
	if err != nil {
		return compiled{}, err
	}
	if k := left.kind; (k == store.KindPoint || k == store.KindLocation) && !left.null {
		return compiled{}, errorf(CodeTypeMismatch, "Type mismatch for #%s, is %s", n.op, k)
	}
	return condition(func(c *cursor) store.Value {
		a, b := left.eval(c), right.eval(c)
		if !a.Set || !b.Set {
			return store.Value{}
		}
		return store.BoolValue(holds(n.op, c.s.Compare(a, b)))
	}), nil
}

// holds applies a comparison operator to the result of a three-way comparison.
func holds(op string, order int) bool {
	switch op {
	case "=":
		return order == 0
	case "<>":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

func (p *Plan) compileIn(n inNode) (compiled, error) {
	operand, err := p.compile(n.operand)
	if err != nil {
		return compiled{}, err
	}
	list := map[string]struct{}{}
	hasNull := false
	for _, item := range n.list {
		lit, ok := item.(literalNode)
		if !ok {
			return compiled{}, errorf(CodeTypeMismatch, "Only literals are allowed in a list")
		}
		c, err := coerce(compileLiteral(lit), operand.kind, "#IN")
		if err != nil {
			return compiled{}, err
		}
		hasNull = hasNull || c.null
		if !c.null {
			list[c.value.Identity()] = struct{}{}
		}
	}
	return condition(func(c *cursor) store.Value {
		v := operand.eval(c)
		if !v.Set {
			return store.Value{}
		}
		_, ok := list[v.Identity()]
		if !ok && hasNull {
			return store.Value{}
		}
		return store.BoolValue(ok != n.not)
	}), nil
}

func (p *Plan) compileLike(n likeNode) (compiled, error) {
	args, err := p.compileArgs("#LIKE", []node{n.operand, n.pattern}, store.KindText, store.KindText)
	if err != nil {
		return compiled{}, err
	}
	return condition(func(c *cursor) store.Value {
		text, pattern := args[0].eval(c), args[1].eval(c)
		if !text.Set || !pattern.Set {
			return store.Value{}
		}
		return store.BoolValue(like(text.Text, pattern.Text) != n.not)
	}), nil
}

// compileLogic follows SQL: null or true is true, null and false is false;
// otherwise null wins.
func (p *Plan) compileLogic(n logicNode) (compiled, error) {
	left, err := p.compileBool(n.left, "#"+n.op)
	if err != nil {
		return compiled{}, err
	}
	right, err := p.compileBool(n.right, "#"+n.op)
	if err != nil {
		return compiled{}, err
	}
	decisive := n.op == "or" // this value of either side decides
	return condition(func(c *cursor) store.Value {
		a := left.eval(c)
		if a.Set && a.True() == decisive {
			return a
		}
		b := right.eval(c)
		if b.Set && b.True() == decisive || a.Set {
			return b
		}
		return a
	}), nil
}

func (p *Plan) compileBool(n node, where string) (compiled, error) {
	c, err := p.compile(n)
	if err != nil {
		return compiled{}, err
	}
	return coerce(c, store.KindCheckbox, where)
}

func negate(v store.Value) store.Value {
	if !v.Set {
		return v
	}
	return store.BoolValue(!v.True())
}
