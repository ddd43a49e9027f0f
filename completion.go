package omconnect

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/omconnect/omconnect/connect"
)

// completionCommand is omconnect completion.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

//go:embed completion
var completionScripts embed.FS

// Run prints what the shell has to read.
func (c *completionCommand) Run(s *streams) error {
	script, err := completionScripts.ReadFile("completion/omconnect." + c.Shell)
	if err != nil {
		return err // a script that was not built in
	}
	_, err = s.out.Write(script)
	return err
}

// completeCommand is what the scripts call: it prints what the last word may
// become, a candidate and its help a line. Where it prints nothing, the shell
// offers files.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words of the command line so far, the one being typed last."`
}

// completionPatience is how long completing waits for a gateway.
const completionPatience = time.Second

// Run prints the candidates. It never fails: a shell has nowhere to show why.
func (c *completeCommand) Run(ctx context.Context, s *streams, plugins *connect.Plugins) error {
	var grammar commandLine
	parser, err := newParser(&grammar)
	if err != nil {
		return err
	}
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	completer{out: s.out, plugins: plugins}.complete(ctx, parser.Model.Node, words)
	return nil
}

// A completer walks the grammar along the words.
type completer struct {
	out     io.Writer
	plugins *connect.Plugins
}

func (c completer) complete(ctx context.Context, node *kong.Node, words []string) {
	done, last := words[:len(words)-1], words[len(words)-1]
	url := ""
	var open *kong.Flag // the flag that the next word is the value of
	positional := 0
	for _, word := range done {
		switch {
		case open != nil:
			if open.Name == "url" {
				url = word
			}
			open = nil
		case strings.HasPrefix(word, "-"):
			name, value, given := strings.Cut(word, "=")
			flag := findFlag(node, name)
			if given && flag != nil && flag.Name == "url" {
				url = value
			}
			if !given && flag != nil && !flag.IsBool() {
				open = flag
			}
		default:
			if child := findChild(node, word); child != nil {
				node = child
			} else {
				positional++
			}
		}
	}
	switch {
	case open != nil:
		c.values(open.Value, last)
	case strings.HasPrefix(last, "-"):
		c.flags(node, last)
	case len(node.Children) > 0:
		for _, child := range node.Children {
			if !child.Hidden {
				c.offer(child.Name, child.Help, last)
			}
		}
	default:
		c.argument(ctx, node, positional, last, url)
	}
}

// offer prints a candidate if it begins as the word does.
func (c completer) offer(candidate, help, word string) {
	if strings.HasPrefix(candidate, word) {
		_, _ = fmt.Fprintf(c.out, "%s\t%s\n", printable(candidate), printable(help))
	}
}

// values offers what a flag or an argument can be, where that is known.
func (c completer) values(v *kong.Value, word string) {
	for _, value := range v.EnumSlice() {
		c.offer(value, "", word)
	}
}

func (c completer) flags(node *kong.Node, word string) {
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			c.offer("--"+flag.Name, flag.Help, word)
		}
	}
}

// argument offers what can stand in an argument's place.
func (c completer) argument(ctx context.Context, node *kong.Node, n int, word, url string) {
	if n >= len(node.Positional) {
		return
	}
	argument := node.Positional[n]
	switch {
	case argument.Enum != "":
		c.values(argument, word)
	case argument.Name == "class":
		for _, p := range c.plugins.All() {
			c.offer(p.Class, p.Doc, word)
		}
	case argument.Name == "name" && node.Parent != nil && node.Parent.Name == "connectors" && node.Name != "create":
		c.connectors(ctx, word, url)
	}
}

// connectors offers the connectors of the gateway, if one answers.
func (c completer) connectors(ctx context.Context, word, url string) {
	call := callFlags{URL: cmp.Or(url, os.Getenv("OMCONNECT_URL"), defaultURL), Data: os.Getenv("OMCONNECT_DATA")}
	gateway, err := call.client()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	all, err := gateway.List(ctx)
	if err != nil {
		return
	}
	for _, connector := range all {
		c.offer(connector.Name, strings.ToLower(connector.Type+", "+connector.State), word)
	}
}

func findFlag(node *kong.Node, word string) *kong.Flag {
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			if word == "--"+flag.Name || flag.Short != 0 && word == "-"+string(flag.Short) {
				return flag
			}
		}
	}
	return nil
}

func findChild(node *kong.Node, word string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == word {
			return child
		}
	}
	return nil
}
