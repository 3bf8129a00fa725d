package dataset

import (
	"slices"
	"strconv"
	"strings"
)

// Canonical returns a text that is the same for all texts of one value. A portal
// writes a number with the zeros that its loader gave it (3, 3.0, 3.00000000,
// 3E0) and groups it by value; so numbers have no zeros before or behind, and no
// exponent unless they are very large or small. Booleans are lower case. Text,
// and what cannot be read, is returned as it is.
func (t Type) Canonical(text string) string {
	switch t {
	case Number:
		if n, ok := canonicalNumber(strings.TrimSpace(text)); ok {
			return n
		}
	case Bool:
		if lower := strings.ToLower(strings.TrimSpace(text)); lower == "true" || lower == "false" {
			return lower
		}
	case Text, Date, Marker, Point, PointText:
	}
	return text
}

// GroupedAs returns the type by which a portal groups the values of the field's
// columns: that of a number where one of them may be a number, even if it is kept
// as text.
func (f Field) GroupedAs() Type {
	isNumber := func(t string) bool {
		return slices.Contains(portalTypes(Number), t) && !slices.Contains(portalTypes(Text), t)
	}
	if f.Type == Text && slices.ContainsFunc(f.PortalTypes, isNumber) {
		return Number
	}
	return f.Type
}

// maxZeros is how many zeros stand for an exponent: a number with more of them
// keeps one.
const maxZeros = 40

// canonicalNumber reads a decimal number: sign, digits, point, digits, exponent.
func canonicalNumber(s string) (string, bool) {
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n > 1<<20 || n < -1<<20 {
			return "", false
		}
		s, exponent = s[:i], n
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	point := len(whole) + exponent // digits before it
	trimmed := strings.TrimLeft(digits, "0")
	point -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	sign := ""
	if negative {
		sign = "-"
	}
	switch {
	case trimmed == "":
		return "0", true
	case point > len(trimmed)+maxZeros || point < -maxZeros:
		return sign + trimmed + "E" + strconv.Itoa(point-len(trimmed)), true
	case point >= len(trimmed):
		return sign + trimmed + strings.Repeat("0", point-len(trimmed)), true
	case point <= 0:
		return sign + "0." + strings.Repeat("0", -point) + trimmed, true
	}
	return sign + trimmed[:point] + "." + trimmed[point:], true
}
