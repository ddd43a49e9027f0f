package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// mark is an outcome in a table.
func (o outcome) mark() string {
	switch {
	case o.broken:
		return "BROKEN"
	case o.held:
		return "holds"
	default:
		return "–"
	}
}

// rules is the table of rules by driver, for a terminal.
func rules(seen []*column) string {
	var b strings.Builder
	b.WriteString("\nrule")
	for _, c := range seen {
		fmt.Fprintf(&b, "  %8s", c.driver)
	}
	for _, r := range omstest.Rules() {
		fmt.Fprintf(&b, "\n%-4s", r.ID)
		for _, c := range seen {
			fmt.Fprintf(&b, "  %8s", c.rules[r.ID].mark())
		}
	}
	b.WriteString("\n")
	for _, c := range seen {
		fmt.Fprintf(&b, "\n%s: %s\n", c.driver, c.sum())
		reasons, rules := c.silent()
		for _, why := range reasons {
			fmt.Fprintf(&b, "  – %s: %s\n", strings.Join(rules[why], " "), why)
		}
	}
	return b.String()
}

// sum says how many rules hold.
func (c *column) sum() string {
	held, silent := 0, 0
	for _, o := range c.rules {
		switch {
		case o.held:
			held++
		case !o.broken:
			silent++
		}
	}
	return fmt.Sprintf("%d of %d rules hold, %d say nothing about it", held, len(c.rules), silent)
}

// report is docs/conformance.md.
func report(seen []*column, table string) []byte {
	var b strings.Builder
	b.WriteString("# Conformance\n\n<!-- Written by `make conformance` from what the suite saw. -->\n\n" +
		"Package [oms/omstest](../oms/omstest) has the contract of a driver as a list of rules. `make conformance` holds every driver to them, " +
		"each on its own broker: in the process (mem, embedded), or a server in processes of its own with its data on the disk, which the rules stop, start and cut off.\n\n" +
		"## Capabilities\n\nWith the defaults of the options. What a driver claims, the rules have seen; what it does not claim is refused. The reasons are in [reference/drivers](reference/drivers).\n\n")
	b.WriteString(table)
	b.WriteString("\n## Rules\n\n| rule |")
	for _, c := range seen {
		fmt.Fprintf(&b, " %s |", c.driver)
	}
	b.WriteString(" |\n| --- |" + strings.Repeat(" --- |", len(seen)) + " --- |\n")
	for _, r := range omstest.Rules() {
		fmt.Fprintf(&b, "| %s |", r.ID)
		for _, c := range seen {
			fmt.Fprintf(&b, " %s |", c.rules[r.ID].mark())
		}
		fmt.Fprintf(&b, " %s |\n", r.Sentence)
	}
	b.WriteString("\n## Where rules say nothing\n")
	for _, c := range seen {
		fmt.Fprintf(&b, "\n**%s**: %s.\n\n", c.driver, c.sum())
		reasons, rules := c.silent()
		for _, why := range reasons {
			fmt.Fprintf(&b, "- %s: %s\n", strings.Join(rules[why], ", "), why)
		}
	}
	return []byte(b.String())
}

// capabilities is the table of what drivers claim, for those that a gateway
// offers.
func capabilities(drivers *oms.Registry) (string, error) {
	var names []string
	claims := make(map[string]oms.Capabilities)
	all := make(map[oms.Capability]bool)
	for _, s := range subjects {
		if !slices.Contains(drivers.Drivers(), s.name) {
			continue
		}
		caps, err := drivers.Capabilities(s.name)
		if err != nil {
			return "", err
		}
		names, claims[s.name] = append(names, s.name), caps
		for c := range caps.Claims {
			all[c] = true
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| capability | %s |\n| --- |%s\n", strings.Join(names, " | "), strings.Repeat(" --- |", len(names)))
	for _, c := range omstest.Capabilities() {
		if !all[c] {
			continue
		}
		fmt.Fprintf(&b, "| %s |", c)
		for _, name := range names {
			fmt.Fprintf(&b, " %s |", support(claims[name].Claims[c]))
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

func support(s oms.Support) string {
	switch {
	case s.Emulated:
		return "emulated"
	case s.Claimed:
		return "yes"
	default:
		return "–"
	}
}
