package soql

import (
	"fmt"
	"strings"
)

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

// lexer cuts one parameter into tokens. After an error it stays at the end.
type lexer struct {
	name, text string // of the parameter
	pos        int
	token      token // the one that comes next
	err        *Error
}

// fail keeps the first error.
func (l *lexer) fail(format string, args ...any) {
	if l.err == nil {
		l.err = errorf(CodeMalformed, "Could not parse SoQL %s %q at character %d: %s", l.name, l.text, l.token.pos+1,
			fmt.Sprintf(format, args...))
	}
	l.pos = len(l.text)
	l.token = token{kind: tokenEnd, pos: l.pos}
}

// next reads the next token.
func (l *lexer) next() {
	for l.pos < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.pos]) >= 0 {
		l.pos++
	}
	l.token = token{kind: tokenEnd, pos: l.pos}
	if l.pos == len(l.text) {
		return
	}
	rest := l.text[l.pos:]
	c := rest[0]
	switch {
	case c == '\'':
		l.quoted('\'', tokenString)
	case c == '`':
		l.quoted('`', tokenQuotedName)
	case isDigit(c):
		l.take(tokenNumber, numberLength(rest))
	case rest == ":" || strings.HasPrefix(rest, ":*"):
		l.take(tokenSymbol, min(2, len(rest)))
	case isNameStart(c):
		l.take(tokenName, nameLength(rest))
		l.token.text = strings.ToLower(l.token.text)
	case len(rest) > 1 && (rest[:2] == "<=" || rest[:2] == ">=" || rest[:2] == "<>" || rest[:2] == "!=" || rest[:2] == "=="):
		l.take(tokenSymbol, 2)
	case strings.IndexByte("=<>(),*-+", c) >= 0:
		l.take(tokenSymbol, 1)
	default:
		l.fail("unexpected character %q", c)
	}
}

func (l *lexer) take(k tokenKind, n int) {
	l.token.kind, l.token.text = k, l.text[l.pos:l.pos+n]
	l.pos += n
}

// quoted reads up to the closing quote; a doubled quote stands for itself.
func (l *lexer) quoted(quote byte, k tokenKind) {
	var b strings.Builder
	for i := l.pos + 1; i < len(l.text); i++ {
		if l.text[i] != quote {
			b.WriteByte(l.text[i])
			continue
		}
		if i+1 < len(l.text) && l.text[i+1] == quote {
			b.WriteByte(quote)
			i++
			continue
		}
		l.token.kind, l.token.text = k, b.String()
		l.pos = i + 1
		return
	}
	l.fail("unterminated quote")
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isNameStart holds for letters and for what system columns (:id) and computed
// ones (:@computed_region_…) begin with.
func isNameStart(c byte) bool {
	return c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// reserved reports whether a name outside of backquotes is a word of the language,
// which the real portal takes for no column: socrata-platform/soql-reference,
// LexerReader.scala, and for the last three SoQLLexer.flex.
func reserved(name string) bool {
	switch name {
	case "select", "distinct", "except", "as", "where", "group", "having", "order", "limit", "offset", "search",
		"asc", "desc", "filter", "from", "full", "in", "inner", "join", "left", "right", "on", "outer", "lateral",
		"and", "or", "not", "is", "between", "like", "true", "false", "null",
		"union", "intersect", "minus":
		return true
	}
	return false
}

// quotedName reports whether a text in backquotes is a name: letters, digits,
// underscores and hyphens, the first of them no digit; a system column's begins
// with : or :@.
func quotedName(text string) bool {
	name, system := strings.CutPrefix(text, ":")
	if system {
		name, _ = strings.CutPrefix(name, "@")
	}
	if name == "" || !system && isDigit(name[0]) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c != '-' && !isDigit(c) && (c == ':' || !isNameStart(c)) {
			return false
		}
	}
	return true
}

func nameLength(s string) int {
	n := 1
	for n < len(s) && (isNameStart(s[n]) || isDigit(s[n]) || s[n] == '@') {
		n++
	}
	return n
}

func numberLength(s string) int {
	n := 0
	for n < len(s) && (isDigit(s[n]) || s[n] == '.') {
		n++
	}
	return n
}
