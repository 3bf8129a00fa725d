package socratatest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxDepth bounds nesting in an expression, so that no query exhausts the stack.
const maxDepth = 200

// Error codes of the portal's envelope, as the real one names them.
const (
	codeMalformed        = "query.compiler.malformed"
	codeNoSuchColumn     = "query.soql.no-such-column"
	codeNoSuchFunction   = "query.soql.no-such-function"
	codeTypeMismatch     = "query.soql.type-mismatch"
	codeNotGrouped       = "query.soql.column-not-in-group-bys"
	codeAggregateInWhere = "query.soql.aggregate-in-ungrouped-context"
	codeDuplicateAlias   = "query.soql.duplicate-alias"
	codeUnrecognized     = "query.soql.unrecognized-argument"
)

// soqlError becomes a 400 answer with the portal's envelope.
type soqlError struct {
	code, message string
	data          map[string]any
}

func (e *soqlError) Error() string { return e.code + "; " + e.message }

func soqlErrorf(code, format string, args ...any) *soqlError {
	return &soqlError{code: code, message: fmt.Sprintf(format, args...)}
}

// node is an expression as written.
type node interface{ isNode() }

type (
	columnNode  struct{ name string }
	literalNode struct {
		kind kind // text, number or checkbox
		text string
		null bool
	}
	callNode struct {
		name     string // lower case
		star     bool   // count(*)
		distinct bool   // count(distinct x)
		args     []node
	}
	compareNode struct {
		op          string // = <> < <= > >=
		left, right node
	}
	nullNode struct { // x is [not] null
		operand node
		not     bool
	}
	inNode struct {
		operand node
		list    []node
		not     bool
	}
	likeNode struct {
		operand, pattern node
		not              bool
	}
	logicNode struct { // and, or
		op          string
		left, right node
	}
	notNode struct{ operand node }
)

func (columnNode) isNode()  {}
func (literalNode) isNode() {}
func (callNode) isNode()    {}
func (compareNode) isNode() {}
func (nullNode) isNode()    {}
func (inNode) isNode()      {}
func (likeNode) isNode()    {}
func (logicNode) isNode()   {}
func (notNode) isNode()     {}

// selectItem is one item of $select: all columns, all system columns, or an expression.
type selectItem struct {
	star, systemStar bool
	expr             node
	alias            string
}

// orderItem is one item of $order. Nulls come last ascending and first descending, unless the query says otherwise.
type orderItem struct {
	expr      node
	desc      bool
	nullFirst bool
}

// soqlQuery is a request's query, parsed.
type soqlQuery struct {
	items  []selectItem // nil means *
	where  node
	group  []node
	order  []orderItem
	limit  int
	offset int
	system bool // $$exclude_system_fields=false asks for the system columns as well
}

// parseQuery reads the parameters of a resource request. Parameters that begin with $$ concern the request, not the
// query. Any other name without $ is a filter on that column.
func parseQuery(params url.Values, defaultLimit, maxLimit int) (*soqlQuery, error) {
	q := &soqlQuery{limit: defaultLimit}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		values := params[name]
		text := values[len(values)-1]
		var err error
		switch name {
		case "$select":
			q.items, err = parseWith(name, text, (*parser).selectList)
		case "$where":
			var where node
			if where, err = parseWith(name, text, (*parser).expression); err == nil {
				q.and(where)
			}
		case "$group":
			q.group, err = parseWith(name, text, (*parser).expressionList)
		case "$order":
			q.order, err = parseWith(name, text, (*parser).orderList)
		case "$limit":
			if q.limit, err = parseCount(name, text); q.limit > maxLimit {
				q.limit = maxLimit
			}
		case "$offset":
			q.offset, err = parseCount(name, text)
		case "$$exclude_system_fields":
			q.system = text == "false"
		case "$$app_token":
		default:
			if strings.HasPrefix(name, "$") {
				return nil, soqlErrorf(codeUnrecognized, "Unrecognized arguments [%s]", name)
			}
			q.and(compareNode{op: "=", left: columnNode{strings.ToLower(name)}, right: literalNode{kind: kindText, text: text}})
		}
		if err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (q *soqlQuery) and(n node) {
	if q.where != nil {
		n = logicNode{op: "and", left: q.where, right: n}
	}
	q.where = n
}

func parseCount(name, text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return 0, soqlErrorf(codeMalformed, "Invalid %s: %q is no natural number", name, text)
	}
	return n, nil
}

// parseWith runs one rule of the grammar over a whole parameter.
func parseWith[T any](name, text string, rule func(*parser) T) (result T, err error) {
	p := &parser{name: name, text: text}
	p.next()
	result = rule(p)
	if p.err == nil && p.token.kind != tokenEnd {
		p.fail("expected end of input")
	}
	if p.err != nil {
		return result, p.err
	}
	return result, nil
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenQuotedName // in backquotes: never a keyword
	tokenString
	tokenNumber
	tokenSymbol
)

type token struct {
	kind tokenKind
	text string // names in lower case, strings without their quotes
	pos  int
}

// parser is a recursive-descent parser over one parameter. After an error it sits at the end of the input.
type parser struct {
	name, text string
	pos, depth int
	token      token
	err        *soqlError
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = soqlErrorf(codeMalformed, "Could not parse SoQL %s %q at character %d: %s", p.name, p.text, p.token.pos+1,
			fmt.Sprintf(format, args...))
	}
	p.pos = len(p.text)
	p.token = token{kind: tokenEnd, pos: p.pos}
}

// next reads the next token.
func (p *parser) next() {
	for p.pos < len(p.text) && strings.ContainsRune(" \t\r\n", rune(p.text[p.pos])) {
		p.pos++
	}
	p.token = token{kind: tokenEnd, pos: p.pos}
	if p.pos == len(p.text) {
		return
	}
	rest := p.text[p.pos:]
	c := rest[0]
	switch {
	case c == '\'':
		p.quoted('\'', tokenString)
	case c == '`':
		p.quoted('`', tokenQuotedName)
	case c >= '0' && c <= '9':
		p.take(tokenNumber, numberLength(rest))
	case isNameStart(c):
		n := 1
		for n < len(rest) && (isNameStart(rest[n]) || rest[n] >= '0' && rest[n] <= '9' || rest[n] == '@') {
			n++
		}
		if rest == ":" || strings.HasPrefix(rest, ":*") {
			p.take(tokenSymbol, min(2, len(rest)))
			return
		}
		p.take(tokenName, n)
		p.token.text = strings.ToLower(p.token.text)
	case len(rest) > 1 && (rest[:2] == "<=" || rest[:2] == ">=" || rest[:2] == "<>" || rest[:2] == "!=" || rest[:2] == "=="):
		p.take(tokenSymbol, 2)
	case strings.IndexByte("=<>(),*-+", c) >= 0:
		p.take(tokenSymbol, 1)
	default:
		p.fail("unexpected character %q", c)
	}
}

func isNameStart(c byte) bool {
	return c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func numberLength(s string) int {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.') {
		n++
	}
	return n
}

func (p *parser) take(k tokenKind, n int) {
	p.token.kind, p.token.text = k, p.text[p.pos:p.pos+n]
	p.pos += n
}

// quoted reads up to the closing quote; a doubled quote stands for itself.
func (p *parser) quoted(quote byte, k tokenKind) {
	var b strings.Builder
	for i := p.pos + 1; i < len(p.text); i++ {
		if p.text[i] != quote {
			b.WriteByte(p.text[i])
			continue
		}
		if i+1 < len(p.text) && p.text[i+1] == quote {
			b.WriteByte(quote)
			i++
			continue
		}
		p.token.kind, p.token.text = k, b.String()
		p.pos = i + 1
		return
	}
	p.fail("unterminated quote")
}

// keyword consumes the word if it is next.
func (p *parser) keyword(word string) bool {
	if p.token.kind != tokenName || p.token.text != word {
		return false
	}
	p.next()
	return true
}

// symbol consumes the symbol if it is next.
func (p *parser) symbol(s string) bool {
	if p.token.kind != tokenSymbol || p.token.text != s {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(s string) {
	if !p.symbol(s) {
		p.fail("expected %q", s)
	}
}

func (p *parser) selectList() (items []selectItem) {
	for {
		item := selectItem{}
		switch {
		case p.symbol("*"):
			item.star = true
		case p.symbol(":*"):
			item.systemStar = true
		default:
			item.expr = p.expression()
			if p.keyword("as") {
				if p.token.kind != tokenName && p.token.kind != tokenQuotedName {
					p.fail("expected an alias")
					return items
				}
				item.alias = strings.ToLower(p.token.text)
				p.next()
			}
		}
		items = append(items, item)
		if !p.symbol(",") {
			return items
		}
	}
}

func (p *parser) expressionList() (list []node) {
	for {
		list = append(list, p.expression())
		if !p.symbol(",") {
			return list
		}
	}
}

func (p *parser) orderList() (list []orderItem) {
	for {
		item := orderItem{expr: p.expression()}
		if p.keyword("desc") {
			item.desc, item.nullFirst = true, true
		} else {
			p.keyword("asc")
		}
		if p.keyword("null") || p.keyword("nulls") {
			item.nullFirst = p.keyword("first")
			if !item.nullFirst && !p.keyword("last") {
				p.fail("expected first or last")
			}
		}
		list = append(list, item)
		if !p.symbol(",") {
			return list
		}
	}
}

// expression reads: or-ed and-ed possibly negated comparisons.
func (p *parser) expression() node {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		p.fail("nested too deeply")
		return literalNode{null: true}
	}
	left := p.conjunction()
	for p.keyword("or") {
		left = logicNode{op: "or", left: left, right: p.conjunction()}
	}
	return left
}

func (p *parser) conjunction() node {
	left := p.negation()
	for p.keyword("and") {
		left = logicNode{op: "and", left: left, right: p.negation()}
	}
	return left
}

func (p *parser) negation() node {
	negated := false
	for p.keyword("not") {
		negated = !negated
	}
	n := p.comparison()
	if negated {
		return notNode{n}
	}
	return n
}

func (p *parser) comparison() node {
	left := p.primary()
	if p.token.kind == tokenSymbol {
		switch op := p.token.text; op {
		case "=", "==", "!=", "<>", "<", "<=", ">", ">=":
			p.next()
			switch op {
			case "==":
				op = "="
			case "!=":
				op = "<>"
			}
			return compareNode{op: op, left: left, right: p.primary()}
		}
		return left
	}
	if p.keyword("is") {
		not := p.keyword("not")
		if !p.keyword("null") {
			p.fail("expected null")
		}
		return nullNode{operand: left, not: not}
	}
	not := p.keyword("not")
	switch {
	case p.keyword("in"):
		p.expect("(")
		list := p.expressionList()
		p.expect(")")
		return inNode{operand: left, list: list, not: not}
	case p.keyword("like"):
		return likeNode{operand: left, pattern: p.primary(), not: not}
	case p.keyword("between"):
		low := p.primary()
		if !p.keyword("and") {
			p.fail("expected and")
		}
		var between node = logicNode{
			op:    "and",
			left:  compareNode{op: ">=", left: left, right: low},
			right: compareNode{op: "<=", left: left, right: p.primary()},
		}
		if not {
			between = notNode{between}
		}
		return between
	case not:
		p.fail("expected in, like or between")
	}
	return left
}

func (p *parser) primary() node {
	t := p.token
	switch t.kind {
	case tokenString:
		p.next()
		return literalNode{kind: kindText, text: t.text}
	case tokenNumber:
		p.next()
		return p.numberLiteral(t.text)
	case tokenQuotedName:
		p.next()
		return columnNode{strings.ToLower(t.text)}
	case tokenName:
		p.next()
		switch t.text {
		case "true", "false":
			return literalNode{kind: kindCheckbox, text: t.text}
		case "null":
			return literalNode{null: true}
		}
		if p.symbol("(") {
			return p.call(t.text)
		}
		return columnNode{t.text}
	case tokenSymbol:
		switch {
		case p.symbol("("):
			n := p.expression()
			p.expect(")")
			return n
		case p.symbol("-"), p.symbol("+"):
			number := p.token.text
			if p.token.kind != tokenNumber {
				p.fail("expected a number")
				return literalNode{null: true}
			}
			p.next()
			if t.text == "-" {
				number = "-" + number
			}
			return p.numberLiteral(number)
		}
	case tokenEnd:
	}
	p.fail("expected an expression")
	return literalNode{null: true}
}

func (p *parser) numberLiteral(text string) node {
	if _, ok := parseNumber(text); !ok {
		p.fail("%q is no number", text)
	}
	return literalNode{kind: kindNumber, text: text}
}

// call reads the arguments of a function behind its opening parenthesis.
func (p *parser) call(name string) node {
	n := callNode{name: name}
	if p.symbol("*") {
		n.star = true
		p.expect(")")
		return n
	}
	if p.symbol(")") {
		return n
	}
	n.distinct = p.keyword("distinct")
	n.args = p.expressionList()
	p.expect(")")
	return n
}
