// An end of QUIC on quic-go, for test_quic_go.py.
//
//	quic_go server PORT PEM [retry] [idle]     echoes streams; one that says "close" ends the session with code 77
//	quic_go client PORT CA echo|resume|closed|reset|idle
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/lucas-clemente/quic-go"
)

const protocol = "test"

var resetKey = bytes.Repeat([]byte{7}, 32)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func serve(port string, pem string, options []string) {
	certificate, err := tls.LoadX509KeyPair(pem, pem)
	check(err)
	config := &quic.Config{StatelessResetKey: resetKey}
	for _, option := range options {
		switch option {
		case "retry":
			config.RequireAddressValidation = func(net.Addr) bool { return true }
		case "idle":
			config.MaxIdleTimeout = 700 * time.Millisecond
		}
	}
	listener, err := quic.ListenAddrEarly("127.0.0.1:"+port,
		&tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{protocol}}, config)
	check(err)
	fmt.Println("listening")
	for {
		session, err := listener.Accept(context.Background())
		check(err)
		go func() {
			for {
				stream, err := session.AcceptStream(context.Background())
				if err != nil {
					return
				}
				go echo(session, stream)
			}
		}()
	}
}

func echo(session quic.Connection, stream quic.Stream) {
	data, err := io.ReadAll(stream)
	if err != nil {
		return
	}
	if string(data) == "close" {
		session.CloseWithError(77, "as asked")
		return
	}
	stream.Write(data)
	stream.Close()
}

func body() []byte {
	data := make([]byte, 300000)
	for number := range data {
		data[number] = byte(number * number % 251)
	}
	return data
}

func ask(session quic.Connection) {
	stream, err := session.OpenStreamSync(context.Background())
	check(err)
	_, err = stream.Write(body())
	check(err)
	check(stream.Close())
	answer, err := io.ReadAll(stream)
	check(err)
	if !bytes.Equal(answer, body()) {
		check(errors.New("something else came back"))
	}
}

func end(session quic.Connection) {
	check(session.CloseWithError(5, "done"))
}

func talk(port string, authority string, what string) {
	pem, err := os.ReadFile(authority)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	security := &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{protocol},
		ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	config := &quic.Config{TokenStore: quic.NewLRUTokenStore(4, 4)}
	if what == "idle" {
		config.MaxIdleTimeout = 700 * time.Millisecond
	}
	session, err := quic.DialAddrEarly("127.0.0.1:"+port, security, config)
	check(err)
	ask(session)
	switch what {
	case "resume":
		time.Sleep(200 * time.Millisecond)
		end(session)
		again, err := quic.DialAddrEarly("127.0.0.1:"+port, security, config)
		check(err)
		ask(again)
		fmt.Println("early data:", again.ConnectionState().TLS.Used0RTT, "resumed:", again.ConnectionState().TLS.DidResume)
		session = again
	case "closed", "idle", "reset":
		fmt.Println("waiting")
		if what == "reset" {
			go func() {
				for {
					time.Sleep(50 * time.Millisecond)
					stream, err := session.OpenStream()
					if err != nil {
						return
					}
					stream.Write([]byte("x"))
				}
			}()
		}
		<-session.Context().Done()
		_, err := session.AcceptStream(context.Background())
		var application *quic.ApplicationError
		var idle *quic.IdleTimeoutError
		var reset *quic.StatelessResetError
		switch {
		case errors.As(err, &application):
			fmt.Println("code:", uint64(application.ErrorCode))
		case errors.As(err, &idle):
			fmt.Println("idle")
		case errors.As(err, &reset):
			fmt.Println("reset")
		default:
			fmt.Println("otherwise:", err)
		}
		return
	}
	end(session)
	fmt.Println("done")
}

func main() {
	if os.Args[1] == "server" {
		serve(os.Args[2], os.Args[3], os.Args[4:])
	} else {
		talk(os.Args[2], os.Args[3], os.Args[4])
	}
}
