package chart

import (
	"net/url"
	"strings"
)

// PagePath is the address of a page in a language, such as /en/sectors/722.
func PagePath(lang string, parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return "/" + lang + "/" + strings.Join(escaped, "/")
}

// DataPath is the address of data: DataPath(".csv", "overview", "months") is
// /data/overview/months.csv.
func DataPath(extension string, parts ...string) string {
	return PagePath("data", parts...) + extension
}

// FileName joins parts to a name that every file system takes.
func FileName(parts ...string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			return c
		}
		return '-'
	}, strings.Join(parts, "-"))
}

// Page is the path of a page without its language, by parts: overview is the
// first page, {sectors, 722} the page of a sector.
type Page []string

func (p Page) address(lang string) string {
	if p[0] == "overview" {
		return PagePath(lang, "")
	}
	return PagePath(lang, p...)
}
