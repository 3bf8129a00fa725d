package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// aptSource is one place that this machine's package manager gets packages
// from.
type aptSource struct {
	URI        string
	Suite      string
	Components []string
}

// readAptSources reads the apt configuration in dir, which is /etc/apt outside
// of tests. Absent files are skipped: a machine has one form of them, or both.
func readAptSources(dir string) ([]aptSource, error) {
	var sources []aptSource
	lists, err := filepath.Glob(filepath.Join(dir, "sources.list.d", "*.list"))
	if err != nil {
		return nil, fmt.Errorf("list apt's sources: %w", err)
	}
	deb822, err := filepath.Glob(filepath.Join(dir, "sources.list.d", "*.sources"))
	if err != nil {
		return nil, fmt.Errorf("list apt's sources: %w", err)
	}
	for _, file := range append([]string{filepath.Join(dir, "sources.list")}, lists...) {
		text, err := readIfThere(file)
		if err != nil {
			return nil, err
		}
		sources = append(sources, parseOneLineSources(text)...)
	}
	for _, file := range deb822 {
		text, err := readIfThere(file)
		if err != nil {
			return nil, err
		}
		sources = append(sources, parseDeb822Sources(text)...)
	}
	return sources, nil
}

func readIfThere(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read apt's sources: %w", err)
	}
	return string(text), nil
}

// parseOneLineSources reads the older form, one source per line: deb [options]
// URI suite component... (sources.list(5)). Lines of any other form are
// skipped, as are source packages (deb-src).
func parseOneLineSources(text string) []aptSource {
	var sources []aptSource
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == strings.TrimLeft(rest, " \t[") {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, after, closed := strings.Cut(rest, "]")
			if !closed {
				continue
			}
			rest = after
		}
		words := strings.Fields(rest)
		if len(words) < 2 {
			continue
		}
		sources = append(sources, aptSource{URI: words[0], Suite: words[1], Components: words[2:]})
	}
	return sources
}

// parseDeb822Sources reads the newer form: stanzas of Field: value lines, where
// a line that begins with a space continues the field above it. Disabled
// stanzas and source packages are skipped. A stanza may name several URIs and
// suites: each pair is a source.
func parseDeb822Sources(text string) []aptSource {
	var sources []aptSource
	stanza := map[string][]string{}
	field := ""
	finish := func() {
		enabled := !slices.ContainsFunc(stanza["enabled"], func(v string) bool {
			return slices.Contains([]string{"no", "false", "off", "0"}, strings.ToLower(v))
		})
		if enabled && slices.Contains(stanza["types"], "deb") {
			for _, uri := range stanza["uris"] {
				for _, suite := range stanza["suites"] {
					sources = append(sources, aptSource{URI: uri, Suite: suite, Components: stanza["components"]})
				}
			}
		}
		stanza, field = map[string][]string{}, ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			finish()
		case line[0] == ' ' || line[0] == '\t':
			if field != "" {
				stanza[field] = append(stanza[field], strings.Fields(line)...)
			}
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				field = ""
				continue
			}
			field = strings.ToLower(strings.TrimSpace(name))
			stanza[field] = strings.Fields(value)
		}
	}
	finish()
	return sources
}

// debianMirror picks the mirror that a Debian machine gets its release from: of
// its sources the first one with the component main whose suite is a whole
// release (not bookworm-updates, nor a flat repository, whose suite has a "/").
// It returns "" when there is none.
func debianMirror(sources []aptSource) string {
	for _, s := range sources {
		scheme, _, _ := strings.Cut(s.URI, ":")
		reachable := slices.Contains([]string{"http", "https", "mirror+file", "mirror+http", "mirror+https", "file"}, scheme)
		if reachable && slices.Contains(s.Components, "main") && !strings.ContainsAny(s.Suite, "-/") {
			return s.URI
		}
	}
	return ""
}
