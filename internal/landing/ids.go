package landing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// pageID makes a fresh id: <run>/<kind>-<page>-<unique>. Ids of a run share a
// prefix, so that listing a run is a range of ids in either landing.
func pageID(meta Meta) (string, error) {
	if !slices.Contains([]string{KindRaw, KindClean, KindKeys}, meta.Kind) {
		return "", fmt.Errorf("landing: kind %q of page %q is none of raw, clean and keys", meta.Kind, meta.Page)
	}
	run := SafeName(meta.Run)
	if run == "" || len(run) > maxLabel {
		return "", fmt.Errorf("landing: run id %q is empty or too long", meta.Run)
	}
	page := SafeName(meta.Page)
	if len(page) > maxLabel {
		return "", fmt.Errorf("landing: page label %q is too long", meta.Page)
	}
	return run + "/" + meta.Kind + "-" + page + "-" + bson.NewObjectID().Hex(), nil
}

// SafeName escapes s into letters, digits, - _ . and %XX, never starting with
// a dot: a name that is safe on every file system. Different strings give
// different names.
func SafeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if safeByte(s[i]) && (i > 0 || s[i] != '.') {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

func safeByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// validID reports whether id can have been made by pageID: two names of safe
// bytes, neither starting with a dot. Only such ids are made into paths.
func validID(id string) bool {
	run, name, ok := strings.Cut(id, "/")
	if !ok || run == "" || name == "" || run[0] == '.' || name[0] == '.' {
		return false
	}
	for i := range len(id) {
		if !safeByte(id[i]) && id[i] != '%' && i != len(run) {
			return false
		}
	}
	return true
}

// sortEntries orders a listing by run, kind, page and age.
func sortEntries(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Page, b.Page),
			a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
}

// prunable picks the pages of runs that are neither among the keep newest
// (at least one) nor protected. A run is as new as its newest page.
func prunable(entries []Entry, keep int, protect []string) []string {
	newest := map[string]time.Time{}
	for _, e := range entries {
		if e.Created.After(newest[e.Run]) {
			newest[e.Run] = e.Created
		}
	}
	runs := slices.SortedFunc(maps.Keys(newest), func(a, b string) int {
		return cmp.Or(newest[b].Compare(newest[a]), cmp.Compare(b, a))
	})
	kept := append(slices.Clone(protect), runs[:min(max(keep, 1), len(runs))]...)
	var ids []string
	for _, e := range entries {
		if !slices.Contains(kept, e.Run) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}
