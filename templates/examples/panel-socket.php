<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// One request by sallyport's socket. The user who runs this is a member of the group sallyport-panel.
//     php panel-socket.php domain.get '{"domain": "example.com"}'

function sallyport(string $method, object $params): array
{
    $socket = stream_socket_client('unix:///run/sallyport/panel.socket', $number, $text, 5);
    if ($socket === false) {
        throw new RuntimeException("sallyport does not listen: $text");
    }
    stream_set_timeout($socket, 600); // the first jail of a server takes its time
    $request = json_encode(['jsonrpc' => '2.0', 'id' => bin2hex(random_bytes(8)), 'method' => $method, 'params' => $params],
        JSON_THROW_ON_ERROR);
    for ($sent = 0; $sent < strlen($request); $sent += $n) {
        $n = fwrite($socket, substr($request, $sent));
        if ($n === false || $n === 0) {
            throw new RuntimeException('sallyport does not read');
        }
    }
    stream_socket_shutdown($socket, STREAM_SHUT_WR); // the request is whole
    $answer = json_decode(stream_get_contents($socket), true, 64, JSON_THROW_ON_ERROR);
    if (isset($answer['error'])) {
        $error = $answer['error'];
        throw new RuntimeException("{$error['data']['reason']}: {$error['message']} ({$error['data']['hint']})");
    }
    return $answer['result'];
}

echo json_encode(sallyport($argv[1], json_decode($argv[2] ?? '{}', false, 64, JSON_THROW_ON_ERROR))), "\n";
