/* SPDX-License-Identifier: Apache-2.0 */
/* user_agent: how the daemon names itself to Azure; its own name, and no SDK's. */
#ifndef MDCD_USER_AGENT_H
#define MDCD_USER_AGENT_H

#define USER_AGENT "mdcd/" MDC_VERSION " (Linux; libcurl)"

#endif
