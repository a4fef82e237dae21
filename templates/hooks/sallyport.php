<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// sallyport from a panel in PHP: sallyport() gives the result, or throws Refused. See sallyport-helper(8).

class Refused extends RuntimeException
{
    public string $reason, $field, $hint;
    public function __construct(public int $status, array $error)
    {
        parent::__construct($error['message'], $error['code']);
        ['reason' => $this->reason, 'field' => $this->field, 'hint' => $this->hint] = $error['data'];
    }
}

function sallyport(string $method, array $params): array
{
    $request = json_encode(['jsonrpc' => '2.0', 'id' => '1', 'method' => $method, 'params' => (object) $params], JSON_THROW_ON_ERROR);
    $helper = proc_open(['sudo', '-n', '/usr/libexec/sallyport/sallyport-helper'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
    @fwrite($pipes[0], $request); // a sudo that says no reads nothing
    fclose($pipes[0]);
    $answer = json_decode(stream_get_contents($pipes[1]), true);
    $status = proc_close($helper);
    if (!is_array($answer)) {
        throw new RuntimeException("sallyport-helper gave no answer: exit $status");
    }
    return $status === 0 ? $answer['result'] : throw new Refused($status, $answer['error']);
}
