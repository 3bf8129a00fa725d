package soql

import (
	"strings"

	"padron/internal/portalsim/store"
)

// maxDepth bounds nesting in an expression, so that no query exhausts the
// stack.
const maxDepth = 200

// parser is a recursive-descent parser: one method for each rule.
type parser struct {
	lexer
	depth int
}

// parseWith applies one rule of the grammar to a whole parameter.
func parseWith[T any](name, text string, rule func(*parser) T) (result T, err error) {
	p := &parser{lexer: lexer{name: name, text: text}}
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

// keyword consumes a word if it comes next.
func (p *parser) keyword(word string) bool {
	if p.token.kind != tokenName || p.token.text != word {
		return false
	}
	p.next()
	return true
}

// symbol consumes a symbol if it comes next.
func (p *parser) symbol(s string) bool {
	if p.token.kind != tokenSymbol || p.token.text != s {
		return false
	}
	p.next()
	return true
}

// expect consumes a symbol that must come next.
func (p *parser) expect(s string) {
	if !p.symbol(s) {
		p.fail("expected %q", s)
	}
}

// list reads items between commas.
func list[T any](p *parser, item func() T) (items []T) {
	for {
		items = append(items, item())
		if !p.symbol(",") {
			return items
		}
	}
}

func (p *parser) selectList() []selectItem { return list(p, p.selectItem) }
func (p *parser) expressionList() []node   { return list(p, p.expression) }
func (p *parser) orderList() []orderItem   { return list(p, p.orderItem) }

func (p *parser) selectItem() selectItem {
	switch {
	case p.symbol("*"):
		return selectItem{star: true}
	case p.symbol(":*"):
		return selectItem{systemStar: true}
	}
	item := selectItem{expr: p.expression()}
	if !p.keyword("as") {
		return item
	}
	if p.token.kind != tokenQuotedName && (p.token.kind != tokenName || reserved(p.token.text)) {
		p.fail("expected an alias")
		return item
	}
	item.alias = strings.ToLower(p.token.text)
	p.next()
	return item
}

func (p *parser) orderItem() orderItem {
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
	return item
}

// expression reads conjunctions between ors.
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

// conjunction reads negations between ands.
func (p *parser) conjunction() node {
	left := p.negation()
	for p.keyword("and") {
		left = logicNode{op: "and", left: left, right: p.negation()}
	}
	return left
}

// negation reads a comparison behind any number of nots.
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

// comparison reads a primary and what it is compared with, if anything.
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

// primary reads a literal, a column, a call, or an expression in parentheses.
func (p *parser) primary() node {
	t := p.token
	switch t.kind {
	case tokenString:
		p.next()
		return literalNode{kind: store.KindText, text: t.text}
	case tokenNumber:
		p.next()
		return p.numberLiteral(t.text)
	case tokenQuotedName:
		if !quotedName(t.text) {
			p.fail("expected a name in backquotes, but got `%s`", t.text)
			return literalNode{null: true}
		}
		p.next()
		return columnNode{strings.ToLower(t.text)}
	case tokenName:
		switch t.text {
		case "true", "false":
			p.next()
			return literalNode{kind: store.KindCheckbox, text: t.text}
		case "null":
			p.next()
			return literalNode{null: true}
		}
		if reserved(t.text) {
			p.fail("expected an expression, but got `%s'", t.text)
			return literalNode{null: true}
		}
		p.next()
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
	if _, ok := store.ParseNumber(text); !ok {
		p.fail("%q is no number", text)
	}
	return literalNode{kind: store.KindNumber, text: text}
}

// call reads a function's arguments behind the opening parenthesis.
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
