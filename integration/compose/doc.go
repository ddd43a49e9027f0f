// Package compose has no code. Its tests hold docker-compose.yml and Dockerfile
// to what they promise, without an engine: that both versions of Compose read
// the file, that nothing is published but on 127.0.0.1, that the services are
// where README, documentation and gateway look for them, and that the program
// that the Dockerfile builds runs as the image would run it.
package compose
