#pragma once

// What the gate and the runtime that put it into a container agree on.
//
// The gate connects to the socket it is given, again and again while nobody listens, and waits for a word. The other
// side learns its pid from the connection, and that it is the gate from its name (/proc/PID/comm). kGo: it becomes the
// program; the connection's end says that it has, a 4-byte errno why it could not. kLeave: it ends.

namespace orchion::node::shim {

constexpr const char* kGateFolder = "/dev/orchion";  // in the container, read-only
constexpr const char* kGateProgram = "gate";         // in it
constexpr const char* kGateSocket = "start";         // in it, while a start waits
constexpr const char* kGateComm = "orchion-gate";    // its name while it waits
constexpr const char* kGateInputPath = "/dev/orchion/input";
constexpr const char* kGateInput = "input";  // gate input run|init …: its input is the fifo in the folder
constexpr const char* kGateHold = "hold";    // gate hold FOLDER, on the node: keeps the fifo there open
constexpr const char* kGateRun = "run";      // gate run SOCKET PROGRAM ARGUMENT…
constexpr const char* kGateInit = "init";    // gate init SOCKET PROGRAM ARGUMENT…: it stays as the init
constexpr char kGateGo = 'g';
constexpr char kGateLeave = 'x';
constexpr int kGateExitLeft = 125;  // it ended without having become the program
constexpr int kGatePatienceS = 300;

}  // namespace orchion::node::shim
