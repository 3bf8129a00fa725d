package dashboard

import (
	"cmp"
	"encoding/xml"
	"html"
	"regexp"
	"strconv"
	"strings"
	"time"

	"padron/dashboard/chart"
	"padron/internal/changes"
	"padron/internal/cleaning"
)

// rss is an RSS 2.0 feed: https://www.rssboard.org/rss-specification
type rss struct {
	XMLName xml.Name   `xml:"rss"`
	Version string     `xml:"version,attr"`
	Channel rssChannel `xml:"channel"`
}

type rssChannel struct {
	Title       string    `xml:"title"`
	Link        string    `xml:"link"`
	Description string    `xml:"description"`
	Language    string    `xml:"language"`
	Copyright   string    `xml:"copyright"`
	Items       []rssItem `xml:"item"`
}

type rssItem struct {
	Title       string  `xml:"title"`
	Link        string  `xml:"link"`
	Description string  `xml:"description"`
	GUID        rssGUID `xml:"guid"`
	Date        string  `xml:"pubDate"`
	Category    string  `xml:"category"`
}

type rssGUID struct {
	Permanent bool   `xml:"isPermaLink,attr"`
	ID        string `xml:",chardata"`
}

// plain keeps a title text in readers that take titles for HTML, which a feed
// cannot tell: what would begin a tag gets a space behind its sign. Descriptions
// are HTML in every reader, and so are escaped.
func plain(title string) string {
	return regexp.MustCompile(`<([A-Za-z/!?])`).ReplaceAllString(title, "< $1")
}

// feed answers with the newest changes as RSS.
func (r *request) feed() (*content, error) {
	w, err := r.wantedChanges()
	if err != nil {
		return nil, err
	}
	listed, _, err := r.listChanges(w, changesPerFeed)
	if err != nil {
		return nil, err
	}
	base := "http://" + r.Host
	if encrypted(r.Request) {
		base = "https://" + r.Host
	}
	spec := r.server.Spec
	doc := rss{Version: "2.0", Channel: rssChannel{
		Title: plain(r.T("nav.changes") + ": " + spec.Title), Link: base + chart.PagePath(r.Lang, "changes"), Language: r.Lang,
		Description: html.EscapeString(r.T("changes.about")), Copyright: spec.Attribution + ". " + spec.License,
	}}
	for i := range listed {
		c := &listed[i]
		var what []string
		for _, f := range c.Fields {
			switch {
			case c.Kind() == changes.KindOpened:
			case f.Hidden:
				what = append(what, r.Field(f.Path)+": "+r.T("hidden"))
			default:
				what = append(what, r.Field(f.Path)+": "+cmp.Or(r.Value(f.From), "–")+" → "+cmp.Or(r.Value(f.To), "–"))
			}
		}
		doc.Channel.Items = append(doc.Channel.Items, rssItem{
			Title: plain(r.T("kind."+c.Kind()) + ": " + cmp.Or(c.Name, c.Key)), Link: base + c.Href,
			Description: html.EscapeString(strings.Join(what, "; ")),
			GUID:        rssGUID{ID: spec.Name + "/" + c.Key + "/" + strconv.Itoa(int(c.Version))},
			Date:        c.At.Format(time.RFC1123Z), Category: c.Kind(),
		})
	}
	body, err := xml.MarshalIndent(doc, "", " ")
	return &content{kind: kindRSS, body: append([]byte(xml.Header), cleaning.Visible(string(body))...)}, err
}
