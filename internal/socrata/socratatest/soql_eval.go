package socratatest

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// flushSize is how much of an answer is gathered before it is written.
const flushSize = 32 << 10

// cursor is the row an expression is evaluated on.
type cursor struct {
	s     *snapshot
	entry entry
	rec   record
}

func (c *cursor) move(e entry) {
	c.entry = e
	c.rec = c.s.record(e)
}

// compiled is an expression bound to columns and types.
type compiled struct {
	kind    kind
	null    bool // the literal null, of any type
	literal bool
	value   value // of a literal
	eval    func(*cursor) value
}

func literal(v value) compiled {
	return compiled{kind: v.kind, null: !v.set, literal: true, value: v, eval: func(*cursor) value { return v }}
}

// aggregate is one aggregate function of a grouped query.
type aggregate struct {
	call callNode
	kind kind
	arg  compiled // unused for count(*)
}

// state gathers an aggregate over the rows of one group.
type state struct {
	count int64
	sum   float64
	best  value
	seen  map[string]struct{} // count(distinct x)
}

func (a *aggregate) add(st *state, c *cursor) {
	if a.call.star {
		st.count++
		return
	}
	v := a.arg.eval(c)
	if !v.set {
		return
	}
	if a.call.distinct {
		if st.seen == nil {
			st.seen = map[string]struct{}{}
		}
		id := inKey(v)
		if _, ok := st.seen[id]; ok {
			return
		}
		st.seen[id] = struct{}{}
	}
	st.count++
	switch a.call.name {
	case "min":
		if !st.best.set || c.s.compare(v, st.best) < 0 {
			st.best = v
		}
	case "max":
		if !st.best.set || c.s.compare(v, st.best) > 0 {
			st.best = v
		}
	case "sum", "avg":
		st.sum += v.number()
	}
}

func (a *aggregate) result(st *state) value {
	switch {
	case a.call.name == "count":
		return numberValue(strconv.FormatInt(st.count, 10))
	case a.call.name == "min", a.call.name == "max":
		return st.best
	case st.count == 0:
		return value{}
	case a.call.name == "avg":
		return numberValue(strconv.FormatFloat(st.sum/float64(st.count), 'f', -1, 64))
	default:
		return numberValue(strconv.FormatFloat(st.sum, 'f', -1, 64))
	}
}

// output is one column of the answer.
type output struct {
	name   string
	kind   kind
	prefix string // `,"name":`
	eval   func(*cursor) value
	index  int // grouped: place in the group's values, or, counted from len(groups), among the aggregates
}

// sorting is one item of the order.
type sorting struct {
	eval      func(*cursor) value
	index     int // grouped, as in output
	desc      bool
	nullFirst bool
}

// query is a request bound to a snapshot: what rows it reads by the key index, what it filters, and what it renders.
type query struct {
	s       *snapshot
	salt    uint64 // of the order of ties; 0 where it is the same for every request
	aliases map[string]node

	rows    []entry // in key order
	keyless []entry
	filter  func(*cursor) value // nil: all

	star     bool // the answer is whole rows, rendered in one pass
	system   bool // with the system columns
	prefixes []string
	outputs  []output

	grouped    bool
	groupNodes []node
	groups     []compiled
	aggregates []aggregate

	order         []sorting
	byKey         bool // the order is that of the key index
	byKeyDesc     bool
	limit, offset int
}

// plan binds a parsed query to a snapshot. hideComputed leaves the computed regions out of whole rows; salt, when it is
// not 0, decides the order of ties.
func plan(s *snapshot, parsed *soqlQuery, hideComputed bool, salt uint64) (*query, error) {
	q := &query{s: s, salt: salt, aliases: map[string]node{}, limit: parsed.limit, offset: parsed.offset}
	for _, item := range parsed.items {
		if item.alias == "" {
			continue
		}
		if _, ok := q.aliases[item.alias]; ok {
			return nil, soqlErrorf(codeDuplicateAlias, "Duplicate alias: %s", item.alias)
		}
		q.aliases[item.alias] = item.expr
	}
	if err := q.planWhere(parsed.where); err != nil {
		return nil, err
	}
	if err := q.planSelect(parsed, hideComputed); err != nil {
		return nil, err
	}
	for _, item := range parsed.order {
		if err := q.planOrder(item); err != nil {
			return nil, err
		}
	}
	if len(parsed.order) > 0 && !q.grouped {
		first := parsed.order[0]
		column, ok := first.expr.(columnNode)
		isKey := ok && q.isKey(column.name) && first.nullFirst == first.desc
		unique := s.duplicates == 0 && len(q.keyless) < 2
		q.byKey = isKey && (unique || salt == 0 && len(parsed.order) == 1)
		q.byKeyDesc = first.desc
	}
	return q, nil
}

// isKey says whether a name means the column the rows are sorted by.
func (q *query) isKey(name string) bool {
	c, ok := q.s.column(name)
	return ok && c.same == nil && c.slot == q.s.keySlot
}

// bound is one end of a key range.
type bound struct {
	value     value
	inclusive bool
}

// planWhere takes from the top-level conjunction what the key index can answer and compiles the rest to a filter.
func (q *query) planWhere(where node) error {
	q.rows, q.keyless = q.s.rows, q.s.keyless
	if where == nil {
		return nil
	}
	var low, high []bound
	var lists [][]value
	wantKey, wantNull := false, false
	rest := []compiled{}
	for _, n := range conjuncts(where, nil) {
		switch n := n.(type) {
		case compareNode:
			op, k, ok := q.keyComparison(n)
			if !ok {
				break
			}
			wantKey = true
			if op == "=" || op[0] == '>' {
				low = append(low, bound{k, op != ">"})
			}
			if op == "=" || op[0] == '<' {
				high = append(high, bound{k, op != "<"})
			}
			continue
		case nullNode:
			if column, ok := n.operand.(columnNode); ok && q.isKey(column.name) {
				wantKey, wantNull = wantKey || n.not, wantNull || !n.not
				continue
			}
		case inNode:
			if list, ok := q.keyList(n); ok {
				lists = append(lists, list)
				wantKey = true
				continue
			}
		}
		c, err := q.compile(n)
		if err != nil {
			return err
		}
		if c.kind != kindCheckbox && !c.null {
			return soqlErrorf(codeTypeMismatch, "Type mismatch for WHERE, is %s", c.kind)
		}
		rest = append(rest, c)
	}
	if wantNull {
		q.rows = nil
	}
	if wantKey {
		q.keyless = nil
	}
	q.narrow(low, high, lists)
	switch len(rest) {
	case 0:
	case 1:
		q.filter = rest[0].eval
	default:
		q.filter = func(c *cursor) value {
			for _, r := range rest {
				if r.eval(c).at != 1 {
					return boolValue(false)
				}
			}
			return boolValue(true)
		}
	}
	return nil
}

// narrow keeps the rows within all bounds and lists.
func (q *query) narrow(low, high []bound, lists [][]value) {
	if len(q.rows) == 0 {
		return
	}
	from, to := 0, len(q.s.rows)
	for _, b := range low {
		from = max(from, q.s.search(b.value, !b.inclusive))
	}
	for _, b := range high {
		to = min(to, q.s.search(b.value, b.inclusive))
	}
	q.rows = q.s.rows[from:max(from, to)]
	if len(lists) == 0 {
		return
	}
	places := []int{}
	for _, k := range lists[0] {
		for i := max(from, q.s.search(k, false)); i < min(to, q.s.search(k, true)); i++ {
			places = append(places, i)
		}
	}
	slices.Sort(places)
	q.rows = nil
	for _, i := range slices.Compact(places) {
		k := q.s.key(q.s.rows[i])
		inAll := !slices.ContainsFunc(lists[1:], func(list []value) bool {
			return !slices.ContainsFunc(list, func(l value) bool { return q.s.compare(l, k) == 0 })
		})
		if inAll {
			q.rows = append(q.rows, q.s.rows[i])
		}
	}
}

// conjuncts flattens a tree of ands.
func conjuncts(n node, list []node) []node {
	if l, ok := n.(logicNode); ok && l.op == "and" {
		return conjuncts(l.right, conjuncts(l.left, list))
	}
	return append(list, n)
}

// keyComparison recognizes a comparison of the key with a literal, on either side.
func (q *query) keyComparison(n compareNode) (op string, k value, ok bool) {
	left, right, op := n.left, n.right, n.op
	if _, literalFirst := left.(literalNode); literalFirst {
		left, right = right, left
		op = map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
	}
	column, isColumn := left.(columnNode)
	lit, isLiteral := right.(literalNode)
	if !isColumn || !isLiteral || op == "<>" || !q.isKey(column.name) {
		return "", value{}, false
	}
	k, ok = q.keyLiteral(lit)
	return op, k, ok
}

func (q *query) keyList(n inNode) (list []value, ok bool) {
	column, ok := n.operand.(columnNode)
	if !ok || n.not || !q.isKey(column.name) {
		return nil, false
	}
	for _, item := range n.list {
		lit, ok := item.(literalNode)
		if !ok {
			return nil, false
		}
		k, ok := q.keyLiteral(lit)
		if !ok {
			return nil, false
		}
		list = append(list, k)
	}
	return list, true
}

// keyLiteral is a literal as a value of the key's type; ok is false when it is null or of another type.
func (q *query) keyLiteral(lit literalNode) (value, bool) {
	c, err := coerce(compileLiteral(lit), q.s.slots[q.s.keySlot].kind, "")
	return c.value, err == nil && !c.null
}

// planSelect decides what is rendered.
func (q *query) planSelect(parsed *soqlQuery, hideComputed bool) error {
	items := parsed.items
	if items == nil {
		items = []selectItem{{star: true}}
		if parsed.system {
			items = []selectItem{{systemStar: true}, {star: true}}
		}
	}
	q.grouped = len(parsed.group) > 0 || slices.ContainsFunc(items, func(item selectItem) bool { return isAggregate(item.expr) })
	for _, n := range parsed.group {
		n = q.resolve(n)
		c, err := q.compile(n)
		if err != nil {
			return err
		}
		q.groupNodes = append(q.groupNodes, n)
		q.groups = append(q.groups, c)
	}
	stars, systemStars := 0, 0
	for i, item := range items {
		switch {
		case (item.star || item.systemStar) && q.grouped:
			return soqlErrorf(codeNotGrouped, "Column not in group bys: %s", q.s.columns[0].name)
		case item.star:
			stars++
			for _, c := range q.s.columns {
				if !hideComputed || !strings.HasPrefix(c.name, ":@") {
					q.output(c.name, c.kind, q.columnEval(c), 0)
				}
			}
		case item.systemStar:
			systemStars++
			for i, c := range systemColumns {
				q.output(c.name, c.kind, q.systemEval(i), 0)
			}
		default:
			if err := q.planItem(item, i); err != nil {
				return err
			}
		}
	}
	if stars > 1 || systemStars > 1 {
		return soqlErrorf(codeDuplicateAlias, "Duplicate alias: *")
	}
	// Whole rows are rendered in one pass, behind the system columns if those come first.
	q.system = systemStars == 1
	q.star = stars == 1 && stars+systemStars == len(items) && (!q.system || items[0].systemStar)
	if q.star {
		q.prefixes = make([]string, len(q.s.slots))
		for _, o := range q.outputs {
			if c, ok := q.s.column(o.name); ok && c.same == nil {
				q.prefixes[c.slot] = o.prefix
			}
		}
	}
	return nil
}

func (q *query) planItem(item selectItem, place int) error {
	name := item.alias
	if name == "" {
		name = implicitAlias(item.expr, place)
	}
	if slices.ContainsFunc(q.outputs, func(o output) bool { return o.name == name }) {
		return soqlErrorf(codeDuplicateAlias, "Duplicate alias: %s", name)
	}
	if !q.grouped {
		c, err := q.compile(item.expr)
		if err != nil {
			return err
		}
		q.output(name, c.kind, c.eval, 0)
		return nil
	}
	k, index, err := q.groupedIndex(item.expr)
	if err != nil {
		return err
	}
	q.output(name, k, nil, index)
	return nil
}

func (q *query) output(name string, k kind, eval func(*cursor) value, index int) {
	prefix := "," + string(appendQuoted(nil, name)) + ":"
	q.outputs = append(q.outputs, output{name: name, kind: k, prefix: prefix, eval: eval, index: index})
}

// groupedIndex finds an expression of a grouped query among its groups and aggregates.
func (q *query) groupedIndex(n node) (kind, int, error) {
	n = q.resolve(n)
	for i, g := range q.groupNodes {
		if reflect.DeepEqual(n, g) {
			return q.groups[i].kind, i, nil
		}
	}
	call, ok := n.(callNode)
	if !ok || !isAggregate(n) {
		if _, err := q.compile(n); err != nil {
			return 0, 0, err
		}
		return 0, 0, soqlErrorf(codeNotGrouped, "Column not in group bys: %s", implicitAlias(n, 0))
	}
	for i, a := range q.aggregates {
		if reflect.DeepEqual(call, a.call) {
			return a.kind, len(q.groups) + i, nil
		}
	}
	a := aggregate{call: call, kind: kindNumber}
	if !call.star || call.name != "count" {
		if len(call.args) != 1 {
			return 0, 0, soqlErrorf(codeNoSuchFunction, "No such function: %s/%d", call.name, len(call.args))
		}
		arg, err := q.compile(call.args[0])
		if err != nil {
			return 0, 0, err
		}
		if (call.name == "sum" || call.name == "avg") && arg.kind != kindNumber {
			return 0, 0, soqlErrorf(codeTypeMismatch, "Type mismatch for %s, is %s", call.name, arg.kind)
		}
		a.arg = arg
		if call.name == "min" || call.name == "max" {
			a.kind = arg.kind
		}
	}
	q.aggregates = append(q.aggregates, a)
	return a.kind, len(q.groups) + len(q.aggregates) - 1, nil
}

func (q *query) planOrder(item orderItem) error {
	o := sorting{desc: item.desc, nullFirst: item.nullFirst}
	if q.grouped {
		n := item.expr
		// The implicit name of an aggregate, such as count, may be ordered by as well.
		if column, ok := n.(columnNode); ok {
			if i := slices.IndexFunc(q.outputs, func(o output) bool { return o.name == column.name }); i >= 0 {
				o.index = q.outputs[i].index
				q.order = append(q.order, o)
				return nil
			}
		}
		_, index, err := q.groupedIndex(n)
		if err != nil {
			return err
		}
		o.index = index
	} else {
		c, err := q.compile(q.resolve(item.expr))
		if err != nil {
			return err
		}
		if c.kind == kindPoint || c.kind == kindLocation {
			return soqlErrorf(codeTypeMismatch, "Type mismatch for order by, is %s", c.kind)
		}
		o.eval = c.eval
	}
	q.order = append(q.order, o)
	return nil
}

// resolve replaces an alias by what it stands for; a column of that name goes first.
func (q *query) resolve(n node) node {
	column, ok := n.(columnNode)
	if !ok {
		return n
	}
	if _, ok := q.s.column(column.name); ok {
		return n
	}
	if aliased, ok := q.aliases[column.name]; ok {
		return aliased
	}
	return n
}

func isAggregate(n node) bool {
	call, ok := n.(callNode)
	return ok && slices.Contains([]string{"count", "min", "max", "sum", "avg"}, call.name)
}

// implicitAlias names an expression as the portal does: count(*) is count, min(x) is min_x.
func implicitAlias(n node, place int) string {
	switch n := n.(type) {
	case columnNode:
		return n.name
	case callNode:
		parts := []string{n.name}
		for i, a := range n.args {
			parts = append(parts, implicitAlias(a, i))
		}
		return strings.Join(parts, "_")
	case literalNode:
		return n.text
	default:
		return fmt.Sprintf("expr_%d", place+1)
	}
}

func (q *query) columnEval(c column) func(*cursor) value {
	if c.same != nil {
		same := *c.same
		return func(*cursor) value { return same }
	}
	slot := c.slot
	return func(cur *cursor) value { return cur.rec.cell(slot) }
}

func (q *query) systemEval(i int) func(*cursor) value {
	return func(cur *cursor) value { return cur.s.system(cur.entry, i) }
}

// compile binds an expression that is no aggregate.
func (q *query) compile(n node) (compiled, error) {
	switch n := n.(type) {
	case literalNode:
		return compileLiteral(n), nil
	case columnNode:
		return q.compileColumn(n)
	case callNode:
		return q.compileCall(n)
	case compareNode:
		return q.compileCompare(n)
	case nullNode:
		operand, err := q.compile(n.operand)
		return compiled{kind: kindCheckbox, eval: func(c *cursor) value { return boolValue(operand.eval(c).set == n.not) }}, err
	case inNode:
		return q.compileIn(n)
	case likeNode:
		return q.compileLike(n)
	case logicNode:
		return q.compileLogic(n)
	case notNode:
		operand, err := q.compileBool(n.operand, "not")
		return compiled{kind: kindCheckbox, eval: func(c *cursor) value { return negate(operand.eval(c)) }}, err
	default:
		return compiled{}, soqlErrorf(codeMalformed, "Could not parse SoQL: unknown expression")
	}
}

func compileLiteral(n literalNode) compiled {
	switch {
	case n.null:
		return literal(value{})
	case n.kind == kindCheckbox:
		return literal(boolValue(n.text == "true"))
	default:
		return literal(value{kind: n.kind, set: true, text: n.text})
	}
}

func (q *query) compileColumn(n columnNode) (compiled, error) {
	if c, ok := q.s.column(n.name); ok {
		return compiled{kind: c.kind, eval: q.columnEval(c)}, nil
	}
	for i, c := range systemColumns {
		if c.name == n.name {
			return compiled{kind: c.kind, eval: q.systemEval(i)}, nil
		}
	}
	err := soqlErrorf(codeNoSuchColumn, "No such column: %s", n.name)
	err.data = map[string]any{"column": n.name}
	return compiled{}, err
}

// coerce makes a text literal a value of another type, as the portal does; everything else must fit already.
func coerce(c compiled, k kind, where string) (compiled, error) {
	if c.null || c.kind == k {
		return c, nil
	}
	if c.literal && c.kind == kindText {
		text := c.value.text
		var v value
		ok := false
		switch k {
		case kindNumber:
			v, ok = parseNumber(text)
		case kindCheckbox:
			v, ok = boolValue(text == "true"), text == "true" || text == "false"
		case kindCalendarDate:
			v, ok = parseDate(text)
		case kindFixedTimestamp:
			v, ok = parseDate(text)
			v.kind = k
		default: // no literal stands for the others
		}
		if ok {
			return literal(v), nil
		}
	}
	return compiled{}, soqlErrorf(codeTypeMismatch, "Type mismatch for %s, is %s", where, c.kind)
}

// unify gives both sides one type.
func unify(a, b compiled, where string) (compiled, compiled, error) {
	if a.null || b.null {
		return a, b, nil
	}
	var err error
	if a.literal && a.kind == kindText {
		a, err = coerce(a, b.kind, where)
	} else {
		b, err = coerce(b, a.kind, where)
	}
	return a, b, err
}

func (q *query) compileCompare(n compareNode) (compiled, error) {
	left, err := q.compile(n.left)
	if err != nil {
		return compiled{}, err
	}
	right, err := q.compile(n.right)
	if err != nil {
		return compiled{}, err
	}
	left, right, err = unify(left, right, "#"+n.op)
	if err != nil {
		return compiled{}, err
	}
	if k := left.kind; (k == kindPoint || k == kindLocation) && !left.null {
		return compiled{}, soqlErrorf(codeTypeMismatch, "Type mismatch for #%s, is %s", n.op, k)
	}
	return compiled{kind: kindCheckbox, eval: func(c *cursor) value {
		a, b := left.eval(c), right.eval(c)
		if !a.set || !b.set {
			return value{}
		}
		return boolValue(holds(n.op, c.s.compare(a, b)))
	}}, nil
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

func (q *query) compileIn(n inNode) (compiled, error) {
	operand, err := q.compile(n.operand)
	if err != nil {
		return compiled{}, err
	}
	list := map[string]struct{}{}
	hasNull := false
	for _, item := range n.list {
		lit, ok := item.(literalNode)
		if !ok {
			return compiled{}, soqlErrorf(codeTypeMismatch, "Only literals are allowed in a list")
		}
		c, err := coerce(compileLiteral(lit), operand.kind, "#IN")
		if err != nil {
			return compiled{}, err
		}
		hasNull = hasNull || c.null
		if !c.null {
			list[inKey(c.value)] = struct{}{}
		}
	}
	return compiled{kind: kindCheckbox, eval: func(c *cursor) value {
		v := operand.eval(c)
		if !v.set {
			return value{}
		}
		_, ok := list[inKey(v)]
		if !ok && hasNull {
			return value{}
		}
		return boolValue(ok != n.not)
	}}, nil
}

// inKey is the same for values that are equal.
func inKey(v value) string {
	switch v.kind {
	case kindNumber:
		return strconv.FormatFloat(v.number(), 'g', -1, 64)
	case kindCheckbox, kindCalendarDate, kindFixedTimestamp:
		return strconv.FormatInt(v.at, 10)
	default:
		return v.text
	}
}

func (q *query) compileLike(n likeNode) (compiled, error) {
	args, err := q.compileArgs("#LIKE", []node{n.operand, n.pattern}, kindText, kindText)
	if err != nil {
		return compiled{}, err
	}
	return compiled{kind: kindCheckbox, eval: func(c *cursor) value {
		text, pattern := args[0].eval(c), args[1].eval(c)
		if !text.set || !pattern.set {
			return value{}
		}
		return boolValue(like(text.text, pattern.text) != n.not)
	}}, nil
}

// like matches % to any text and _ to any one character.
func like(text, pattern string) bool {
	t, p := []rune(text), []rune(pattern)
	i, j, star, mark := 0, 0, -1, 0
	for i < len(t) {
		switch {
		case j < len(p) && p[j] == '%':
			star, mark = j, i
			j++
		case j < len(p) && (p[j] == '_' || p[j] == t[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p)
}

func (q *query) compileBool(n node, where string) (compiled, error) {
	c, err := q.compile(n)
	if err != nil {
		return compiled{}, err
	}
	return coerce(c, kindCheckbox, where)
}

func negate(v value) value {
	if !v.set {
		return v
	}
	return boolValue(v.at == 0)
}

// compileLogic follows SQL: null or true is true, null and false is false, else null wins.
func (q *query) compileLogic(n logicNode) (compiled, error) {
	left, err := q.compileBool(n.left, "#"+n.op)
	if err != nil {
		return compiled{}, err
	}
	right, err := q.compileBool(n.right, "#"+n.op)
	if err != nil {
		return compiled{}, err
	}
	decisive := n.op == "or" // this value of either side decides
	return compiled{kind: kindCheckbox, eval: func(c *cursor) value {
		a := left.eval(c)
		if a.set && (a.at == 1) == decisive {
			return a
		}
		b := right.eval(c)
		if b.set && (b.at == 1) == decisive || a.set {
			return b
		}
		return a
	}}, nil
}

// compileArgs compiles a function's arguments to the types it takes.
func (q *query) compileArgs(name string, args []node, kinds ...kind) ([]compiled, error) {
	if len(args) != len(kinds) {
		return nil, soqlErrorf(codeNoSuchFunction, "No such function: %s/%d", name, len(args))
	}
	list := make([]compiled, len(args))
	for i, n := range args {
		c, err := q.compile(n)
		if err != nil {
			return nil, err
		}
		if list[i], err = coerce(c, kinds[i], name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// compileCall binds the functions of texts and dates.
func (q *query) compileCall(n callNode) (compiled, error) {
	if isAggregate(n) {
		return compiled{}, soqlErrorf(codeAggregateInWhere, "Aggregate in ungrouped context: %s", n.name)
	}
	if f, ok := textFunction(n.name); ok {
		args, err := q.compileArgs(n.name, n.args, kindText)
		return compiled{kind: kindText, eval: func(c *cursor) value {
			v := args[0].eval(c)
			v.text = f(v.text)
			return v
		}}, err
	}
	if f, ok := textTest(n.name); ok {
		args, err := q.compileArgs(n.name, n.args, kindText, kindText)
		return compiled{kind: kindCheckbox, eval: func(c *cursor) value {
			a, b := args[0].eval(c), args[1].eval(c)
			if !a.set || !b.set {
				return value{}
			}
			return boolValue(f(a.text, b.text))
		}}, err
	}
	if f, k, ok := dateFunction(n.name); ok {
		args, err := q.compileArgs(n.name, n.args, kindCalendarDate)
		return compiled{kind: k, eval: func(c *cursor) value {
			v := args[0].eval(c)
			if !v.set {
				return value{}
			}
			return f(time.UnixMilli(v.at).UTC())
		}}, err
	}
	err := soqlErrorf(codeNoSuchFunction, "No such function: %s/%d", n.name, len(n.args))
	err.data = map[string]any{"function": n.name}
	return compiled{}, err
}

func textFunction(name string) (func(string) string, bool) {
	switch name {
	case "upper":
		return strings.ToUpper, true
	case "lower":
		return strings.ToLower, true
	}
	return nil, false
}

func textTest(name string) (func(a, b string) bool, bool) {
	switch name {
	case "starts_with":
		return strings.HasPrefix, true
	case "contains":
		return strings.Contains, true
	}
	return nil, false
}

func dateFunction(name string) (func(time.Time) value, kind, bool) {
	truncate := func(f func(time.Time) time.Time) (func(time.Time) value, kind, bool) {
		return func(t time.Time) value { return dateValue(f(t)) }, kindCalendarDate, true
	}
	extract := func(f func(time.Time) int) (func(time.Time) value, kind, bool) {
		return func(t time.Time) value { return numberValue(strconv.Itoa(f(t))) }, kindNumber, true
	}
	switch name {
	case "date_trunc_y":
		return truncate(func(t time.Time) time.Time { return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC) })
	case "date_trunc_ym":
		return truncate(func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) })
	case "date_trunc_ymd":
		return truncate(func(t time.Time) time.Time { return t.Truncate(24 * time.Hour) })
	case "date_extract_y":
		return extract(time.Time.Year)
	case "date_extract_m":
		return extract(func(t time.Time) int { return int(t.Month()) })
	case "date_extract_d":
		return extract(time.Time.Day)
	}
	return nil, 0, false
}

// total is the number of rows before the filter.
func (q *query) total() int { return len(q.rows) + len(q.keyless) }

// at is the i-th row before the filter: in the order of the key, or, without an order, in one that is arbitrary but
// the same for one version of one copy, or one salt.
func (q *query) at(i int) entry {
	n := q.total()
	switch {
	case q.byKey && q.byKeyDesc:
		i = n - 1 - i // nulls come first
	case !q.byKey:
		i = q.shuffle(i, n)
	}
	if i < len(q.rows) {
		return q.rows[i]
	}
	return q.keyless[i-len(q.rows)]
}

// shuffle is a permutation of 0..n-1 that depends on the version: i times a number coprime to n, plus another.
func (q *query) shuffle(i, n int) int {
	m := uint64(n)
	h := mix(q.s.seed, uint64(q.s.version), 0x5eed+q.salt)
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

// entries yields the rows of the answer in order.
func (q *query) entries(yield func(*cursor) bool) {
	c := &cursor{s: q.s}
	if len(q.order) > 0 && !q.byKey {
		for _, e := range q.sorted(c) {
			c.move(e)
			if !yield(c) {
				return
			}
		}
		return
	}
	skip, left := q.offset, q.limit
	i := 0
	if q.filter == nil {
		i, skip = skip, 0
	}
	for ; i < q.total() && left > 0; i++ {
		c.move(q.at(i))
		if q.filter != nil && q.filter(c).at != 1 {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if !yield(c) {
			return
		}
		left--
	}
}

// sorted gathers the rows that pass the filter, sorts them and cuts the page out. Ties stay in the arbitrary order.
func (q *query) sorted(c *cursor) []entry {
	type sortable struct {
		entry entry
		by    []value
	}
	var list []sortable
	var slab []value
	for i := range q.total() {
		c.move(q.at(i))
		if q.filter != nil && q.filter(c).at != 1 {
			continue
		}
		if cap(slab)-len(slab) < len(q.order) {
			slab = make([]value, 0, 1024*len(q.order))
		}
		from := len(slab)
		for _, o := range q.order {
			slab = append(slab, o.eval(c))
		}
		list = append(list, sortable{c.entry, slab[from:len(slab):len(slab)]})
	}
	slices.SortStableFunc(list, func(a, b sortable) int {
		for i, o := range q.order {
			if order := o.compare(q.s, a.by[i], b.by[i]); order != 0 {
				return order
			}
		}
		return 0
	})
	list = page(list, q.offset, q.limit)
	entries := make([]entry, len(list))
	for i, s := range list {
		entries[i] = s.entry
	}
	return entries
}

func (o *sorting) compare(s *snapshot, a, b value) int {
	switch {
	case !a.set && !b.set:
		return 0
	case !a.set || !b.set:
		if !a.set == o.nullFirst {
			return -1
		}
		return 1
	case o.desc:
		return -s.compare(a, b)
	default:
		return s.compare(a, b)
	}
}

func page[T any](list []T, offset, limit int) []T {
	from := min(offset, len(list))
	return list[from:min(len(list), from+limit)]
}

// write renders the answer as the portal frames it: "[{…}\n,{…}]\n". It returns the number of rows.
func (q *query) write(w io.Writer, buf []byte) (int, error) {
	buf = append(buf[:0], '[')
	rows := 0
	var failed error
	row := func(render func([]byte) []byte) bool {
		if rows > 0 {
			buf = append(buf, '\n', ',')
		}
		rows++
		start := len(buf)
		buf = render(buf)
		if len(buf) == start {
			buf = append(buf, '{')
		} else {
			buf[start] = '{' // over the first field's comma
		}
		buf = append(buf, '}')
		if len(buf) < flushSize {
			return true
		}
		_, failed = w.Write(buf)
		buf = buf[:0]
		return failed == nil
	}
	if q.grouped {
		for _, values := range q.aggregate() {
			if !row(func(b []byte) []byte { return q.appendGroup(b, values) }) {
				return rows, failed
			}
		}
	} else {
		var current *cursor
		render := func(b []byte) []byte { return q.appendRow(b, current) }
		for c := range q.entries {
			current = c
			if !row(render) {
				return rows, failed
			}
		}
	}
	_, err := w.Write(append(buf, ']', '\n'))
	return rows, err
}

func (q *query) appendRow(b []byte, c *cursor) []byte {
	if !q.star {
		for i := range q.outputs {
			if v := q.outputs[i].eval(c); v.set {
				b = append(b, q.outputs[i].prefix...)
				b = appendValue(b, v)
			}
		}
		return b
	}
	if q.system {
		for i := range systemColumns {
			b = append(b, q.outputs[i].prefix...)
			b = appendValue(b, c.s.system(c.entry, i))
		}
	}
	b = c.rec.appendAll(b, q.prefixes)
	for i := range c.s.columns {
		if same := c.s.columns[i].same; same != nil && same.set {
			b = append(b, ',', '"')
			b = append(b, c.s.columns[i].name...)
			b = append(b, '"', ':')
			b = appendValue(b, *same)
		}
	}
	return b
}

func (q *query) appendGroup(b []byte, values []value) []byte {
	for _, o := range q.outputs {
		if v := values[o.index]; v.set {
			b = append(b, o.prefix...)
			b = appendValue(b, v)
		}
	}
	return b
}

// aggregate computes the groups: for each its values, then its aggregates; ordered and cut to the page.
func (q *query) aggregate() [][]value {
	if q.countOnly() {
		return page([][]value{{numberValue(strconv.Itoa(q.total()))}}, q.offset, q.limit)
	}
	type bucket struct {
		values []value
		states []state
	}
	c := &cursor{s: q.s}
	byKey := map[string]*bucket{}
	var buckets []*bucket
	newBucket := func(id string, values []value) *bucket {
		b := &bucket{values: slices.Clone(values), states: make([]state, len(q.aggregates))}
		byKey[id] = b
		buckets = append(buckets, b)
		return b
	}
	if len(q.groups) == 0 {
		newBucket("", nil)
	}
	var id []byte
	values := make([]value, len(q.groups))
	for i := range q.total() {
		c.move(q.at(i))
		if q.filter != nil && q.filter(c).at != 1 {
			continue
		}
		id = id[:0]
		for j, g := range q.groups {
			values[j] = g.eval(c)
			if values[j].set {
				id = strconv.AppendQuote(id, inKey(values[j])) // null is no text, and not the empty one
			}
			id = append(id, 0)
		}
		b := byKey[string(id)]
		if b == nil {
			b = newBucket(string(id), values)
		}
		for j := range q.aggregates {
			q.aggregates[j].add(&b.states[j], c)
		}
	}
	results := make([][]value, len(buckets))
	for i, b := range buckets {
		results[i] = b.values
		for j := range q.aggregates {
			results[i] = append(results[i], q.aggregates[j].result(&b.states[j]))
		}
	}
	slices.SortStableFunc(results, func(a, b []value) int {
		for _, o := range q.order {
			if order := o.compare(q.s, a[o.index], b[o.index]); order != 0 {
				return order
			}
		}
		return 0
	})
	return page(results, q.offset, q.limit)
}

// countOnly says whether the answer is the number of rows the key index found.
func (q *query) countOnly() bool {
	return len(q.groups) == 0 && q.filter == nil && len(q.aggregates) == 1 && q.aggregates[0].call.star
}
