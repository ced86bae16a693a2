/*
 * The sockets of the federation thread: made in czmq's context, with the limits that every socket
 * towards a peer has. All functions: one thread at a time for one socket, never block.
 */
#ifndef REALMGATE_NET_PEER_SOCKET_H
#define REALMGATE_NET_PEER_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

/* What a handshake command or a message of CURVE adds to a frame: 33 bytes for a message. */
#define PEER_CURVE_OVERHEAD_BYTES 33

typedef enum peer_sent {
    PEER_SENT,
    PEER_FULL, /* its queue has no room: dropped */
    PEER_GONE  /* there is nobody: dropped */
} peer_sent_t;

/* A socket of any type, linger 0. NULL if the process has no descriptor or the context no socket
 * left. The caller closes it with peer_socket_close. */
void *inner_socket_new(int type);

/* The same for ROUTER and DEALER: bounded frames and queues, TCP keepalive, bounded handshake. */
void *peer_socket_new(int type);

/* Sets an option of type int. */
void peer_socket_set(void *socket, int option, int value);

/* Sets the key pair of a CURVE socket: KEY_BYTES each. */
void peer_socket_set_keys(void *socket, const void *public_key, const void *secret_key);

/* Receives a part without waiting: true and a message that the caller closes, or false. */
bool part_receive(void *socket, zmq_msg_t *part);

/* Throws away the parts that follow `part`; returns whether there were any. */
bool part_drop_rest(void *socket, zmq_msg_t *part);

/* Sends a part without waiting; flags 0 or ZMQ_SNDMORE. */
peer_sent_t part_send(void *socket, const void *bytes, size_t length, int flags);

/* Closes and nulls; frames that were handed over have linger_ms to go out. NULL is fine. */
void peer_socket_close(void **socket, int linger_ms);

#endif
