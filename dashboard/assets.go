package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"padron/dashboard/i18n"
)

// bundle is what `npm run build` made of dashboard/web; before that, the folder
// holds a placeholder only.
//
//go:embed all:web/dist
var bundle embed.FS

// assets are the static files.
type assets struct {
	Script string   // address of the entry script; empty: the bundle was not built
	Theme  string   // address of the script that sets the theme before the page is painted
	Styles []string // addresses of its style sheets
	files  map[string]asset
	digest string
}

type asset struct {
	content []byte
	etag    string
}

// loadAssets reads the bundle and Vite's manifest, which says what the entry
// is: https://vite.dev/guide/backend-integration
func loadAssets(dist fs.FS) (*assets, error) {
	a := &assets{files: map[string]asset{}}
	all := sha256.New()
	err := fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "placeholder.txt" || strings.HasPrefix(name, ".") {
			return err
		}
		content, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		all.Write(sum[:])
		// The tag is weak, as the file is sent compressed or not.
		a.files[name] = asset{content: content, etag: `W/"` + hex.EncodeToString(sum[:8]) + `"`}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	a.digest = hex.EncodeToString(all.Sum(nil)[:8])
	return a, a.readManifest(dist)
}

func (a *assets) readManifest(dist fs.FS) error {
	raw, err := fs.ReadFile(dist, ".vite/manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("static files: %w", err)
	}
	var manifest map[string]struct {
		File    string   `json:"file"`
		Name    string   `json:"name"`
		CSS     []string `json:"css"`
		IsEntry bool     `json:"isEntry"`
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return fmt.Errorf("manifest of the static files: %w", err)
	}
	for _, chunk := range manifest {
		if !chunk.IsEntry {
			continue
		}
		if strings.HasSuffix(chunk.File, ".css") {
			a.Styles = append(a.Styles, "/static/"+chunk.File)
			continue
		}
		if chunk.Name == "theme" {
			a.Theme = "/static/" + chunk.File
			continue
		}
		a.Script = "/static/" + chunk.File
		for _, css := range chunk.CSS {
			a.Styles = append(a.Styles, "/static/"+css)
		}
	}
	slices.Sort(a.Styles)
	return nil
}

// ServeHTTP serves a file. Its name has a hash of the content in it, so a
// browser may keep it for good.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("ETag", file.etag)
	http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(file.content))
}

// digest names what a page is made with besides the data.
func (s *Server) digest() string {
	sum := sha256.New()
	for _, files := range []fs.FS{templateFiles, i18n.Files()} {
		// Embedded files can be walked and read.
		_ = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				content, _ := fs.ReadFile(files, name)
				sum.Write(content)
			}
			return err
		})
	}
	spec := s.Spec
	fmt.Fprint(sum, s.assets.digest, s.Sensitive, spec.Digest(), spec.License, spec.Attribution, spec.Breaks, spec.Boundaries)
	return hex.EncodeToString(sum.Sum(nil)[:6])
}
