// Package i18n holds the texts of the dashboard, in English and Spanish, and
// writes numbers, shares and dates as each language does. It knows no page, no
// request and no database. The packages of the dashboard import it; the scripts
// in dashboard/web get their texts from it by go generate.
package i18n
