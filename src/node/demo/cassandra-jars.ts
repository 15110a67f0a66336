// The jars of a Cassandra node as Maven gives them, each with its SHA-256 (base64url), and the agent that
// answers JMX over HTTP. A jar that is not listed is not kept: natives of other systems than x86-64 Linux,
// without which Netty takes Java's own sockets and TLS.

/** One version that can be downloaded. */
export interface CassandraBuild {
  readonly version: string;
  /** A line for each jar: SHA-256, blank, name without `.jar`. */
  readonly jars: string;
}

/** Name of the Jolokia agent's jar, which is no part of the class path. */
export const jolokiaJar = 'jolokia-agent-jvm-2.6.0-javaagent.jar';
export const jolokiaVersion = '2.6.0';
export const jolokiaSha256 = 'lcLBIwlwrArXG5y1VrilXExgCOn_13Rb53l_R3Egtq4';

/** What the demo takes, and tests unless they say otherwise. */
export const cassandra50: CassandraBuild = {
  version: '5.0.9',
  jars: `
m0f7rkRP6qxLfgTw6ilFaeS8KCvGnYws4qw_I1dygeI HdrHistogram-2.1.12
WMqrxAyfdLC1mT_YaOD2SlDAdZCU5qJRqq-tmO38ejs ST4-4.0.8
lp5LStdh4088XVn-Fzu6CGI7v06QArxWdmViaIbwGSg affinity-3.23.3
ym_3Y_2T3c9d0ri59g3Jd6LWRPHxZm_9nPf9Y3q20_0 agrona-1.17.1
e2O0wAE3i1SOSyfBWYm2XeNjqLm-5L8RA1whvcUMvtw airline-0.8
zj_I7LEPOemjzdy7LONQ0nLZzT0LHhjm_nPDuTichzQ antlr-runtime-3.5.2
OdDis9xFr2Wgmwl5RXUKlKEm4FLhJPk0aEQ6HQ4V84E asm-9.4
2SG8TgxX49kMfRYRQkEXKNfnKsl1xt2kkU-vKSqoNkg big-math-2.3.0
fdFfnfG-I4_6o2fOb1VnN6iAMd5ClNrRju9XxHTd8dM caffeine-3.1.8
aoDm_d3oiBfe7Eg5rkMeOpxO63KFYDNokAlMb4cP714 cassandra-all-5.0.9
avTo7I2MdOQl5dI6jJvcgqjcFw6XctfQz-CdaZOP--U cassandra-driver-core-3.12.1-shaded
dnV6GWr4BZSSfcMfcd9t4lcpSAyuSTiJmx5bu6kNnIE chronicle-bytes-2.23.33
-sDOiKnd1V7umDSGAVZsk3gsca5oRi221dxkJnZCmZ4 chronicle-core-2.23.36
2EReyIFXfoXZRV0K7zCwy517wi06c6RqcTFXzZjRg4g chronicle-queue-5.23.37
NlfFyCQQI1WBQwpOz3pBd_tJ48Jy5hdyRumXfsdnzuY chronicle-threads-2.23.25
cId2j7haG-CdQM3TRNo1X4j-y4FCQtKnasAWUdDY364 chronicle-wire-2.23.39
vIuwH8D60lA4VwbiD5J93P9hc_Yzmzh9yHkjd1JWesY commons-cli-1.5.0
Tu6ujSDAeKu2SwFewVit04OsWBVxzdxFxo8MmuAjByA commons-lang3-3.18.0
YmipoOo-dp_Ek6IURmZMDvZo5IyT0SZ5H28_dXl4_uI commons-math3-3.2
2N2YOyB-hvWAuiEFdHyycfi5DyS4nHRHST2RJaRy3F0 concurrent-trees-2.4.0
92hsSWDPcMLrxcUApzqM_ARUG3MMGPHFwhMpiJsTf0U ecj-3.33.0
oXHuTHNN0tqDfksWvp30Zhr6typBra8x64Tf2vk2yiY failureaccess-1.0.1
vX-iJ1kfuFCWd9DREiz5UVjzuKn0VlP1goHYefbcSMU guava-32.0.1-jre
5SkwYpDhhJBUQ_KxkIU_sObOFY0V6Orbp8yLIq9SplA high-scale-lib-1.0.6
9UBwNHhjbYj2mfRmYkLm_JF1qZbAjdzq8CEGUXuXBAY hppc-0.8.1
qEhREzANNnMGJYomY0kfuosbdG0Ayg34jTlDmUzA97k ipaddress-5.3.3
Ia8wySJnvWEiwOC00gzMtmQaN-r5VsZUDsRx1YTmSns j2objc-annotations-1.3
5RZ0OjFtz4PFcv_Jy26MXowTSIDIxRVbAvezTpxdw88 jackson-annotations-2.19.2
qnfq8pKTqGjEc3IZT3xSh9d9k3CwTqJdP__B5JBLWIA jackson-core-2.19.2
ChvU6bDWcOYy1A7oxiWtN2IzUC8DwvWIm66pXQJbR6c jackson-databind-2.19.2
lwn0Pg-lYlYz7mbbbAePsejHygIJJpa6lep4Xb8PpqE jackson-datatype-jsr310-2.19.2
-PBFfjiMTQ9ppFEMifzosqeRKecmtGp1arhA_XuoI4c jamm-0.4.0
kcdwRKUMSBY2wy2Rb9ickRinIZU5BFLIEGUID5V95_8 javax.inject-1
4YP29ZQE_B4SBzz-pKzn6hA8kARjzSH7YJp8YX7N9iQ jbcrypt-0.4
r_0GdxWJ6_5FS7ETFaT0ZuyqE1uV8-eTlTTPHS_XBkw jcl-over-slf4j-2.0.17
jGXUL1V0KSUSjVcHnnM39cgMNOH5Nxka0W2qM7WXd6g jcommander-1.30
5zAvFU9j_ExmligW52rNqWmSanVpyjtopi9SvcprRdw jctools-core-3.1.0
9MJsCko-3f26r03ad9TZ99FIukIIeY8yzkdc5NZ3h0Q jffi-1.3.11-native
dNO85zl7SHLMtqb9hLjyYFA_dlCa3JVIAp9mWFKtONc jffi-1.3.11
ZtT4GaBipRodVie__CP6xV0Wd_Dgof66FEqr3WcKZLs jna-5.13.0
R017iPbpcAm27B2YwwJN2VwjGHxl2r-8NTMbysPRc90 jna-platform-5.13.0
U65ep_pcKE6Ceao0jnud5FSLDK4Qv9BY-iF8eRh15M8 jnr-a64asm-1.0.0
mluM-XmNnQMxuNiWbFI1oixDB2duNYA6JGWebXYJb3g jnr-constants-0.10.4
0wlXXo0IB4WYjcUbZjauZ3OFYcPRRT6LJPlQEwHgApY jnr-ffi-2.2.13
OfNnW5EObpuTgl-ChL7J9K0wRM0gpvfI_54vhpXr8h4 jnr-x86asm-1.0.2
Hn9T-luLXIB-mGujNWZdoD8Y1mCALYvwYYIwidG-5Gg jsr305-2.0.2
XVOvPXEft6E8rAYItt_cswrQexAtwSjD4JvlMTpIfl0 jvector-1.0.2
oHjANBTLjA2PnOjiADMZyGgicjHrTHvXOI4P8GGFk14 jvm-attach-api-1.5
y_MOr5U1ere6v5vhI9qcxwLw_oOyM5K3piWJ1gtYYtE log4j-over-slf4j-2.0.17
PhUz0DIfiBXu9GdQruARG0FVT5pGRMPE0tQEdEsJ9g8 logback-classic-1.5.18
hROee1e0ZPjl42Mm3YExdki-0ZnMxPmM1CWF-NdXECc logback-core-1.5.18
h6vwIhxSbWRhbUfSJhhmYgyPQmWck9v9DR_7E4r5gTc lucene-analysis-common-9.7.0
Yk1_VEr-_Lw4Ly2cj-ngT7VibG-1ebWEZjuvQ98WU_g lucene-core-9.7.0
pYqExCceUN9Mlu2RbMt-SKhp-O2c3Noa1dPUwzsCFKM lz4-java-1.10.1
VE58WCjp_kQOLluLh5dClzUtjAqsImomFIEWAP1oBGM metrics-core-4.2.28
mWpgIVLbB6pcvGaSZbVkCZwgrO8lCOxecX8guYtay8U metrics-jvm-4.2.19
k_cpE0tDx0r_pu5FyaI6nm72I6YxGLxKuNiID4jnFkM metrics-logback-4.2.19
d_qJ8LOAyRQLtlzFgsgjAhWDdF92JDP1SE1i9CRmbn8 mxdump-0.14
_-To-SXEKEk-A_OV32X9y6bmSCrVFwKRcrEZJ1rdLdQ netty-all-4.1.130.Final
AKUitn6jXLe03Zzyf4XGxY9eMGeFqgRTAuX2stSUSoc netty-buffer-4.1.130.Final
UmNrwpvWISC5e75dHSHqubHLK--O-7VNIiHF8_oI2M0 netty-codec-4.1.130.Final
U5IfKN1aNSsb7Q4cvMVNAT3GD_6-rpsrHlPqvvMX5YE netty-common-4.1.130.Final
mMeOwYfKMKS5d1v29jL1yZKdtr8Gpg5pcflFgTiAyg8 netty-handler-4.1.130.Final
M2VoddAAFYfupKl3jPIkK0GLyIftA7LTfvOWngt9O14 netty-handler-proxy-4.1.130.Final
Nt--WE0s9_Afi_fOubFDDk0MPXrLdZulV230en7Mxds netty-handler-ssl-ocsp-4.1.130.Final
SMWyGKidGE4bYB1GQzlX9RX879tEZBgrE0i85PWhjzU netty-resolver-4.1.130.Final
P3tMOlFzeWXNW1N3d4LBJXhEIEWNllE8-sdBLk0foMM netty-tcnative-boringssl-static-2.0.70.Final
p5wVeTE9StSKPswdAaJdoG0i1kScO8w2nCMYdJvPVbw netty-tcnative-classes-2.0.70.Final
G_VzJm0nH4VnBamYTSVEnFah1zwCoWrxIDPOzP5VXbs netty-transport-4.1.130.Final
HDUlCNcKyhzMMGjarJB60enY3GiwcUjVdCZzC_DQyLY netty-transport-classes-epoll-4.1.130.Final
Vkh7fULKUgodc3Rj3nGAnacidr-ePRqhbNBDN4FSdgw netty-transport-classes-kqueue-4.1.130.Final
1dRhHLZn6yFWZ8Zaq_x1-NnvJN4qPjoy6yggT5wqejA netty-transport-native-epoll-4.1.130.Final-linux-x86_64
Lr5CeLztaQihPIWgaJgraV_XsH8es9yCyefMqwDTWH4 netty-transport-native-epoll-4.1.130.Final
z178QWhZfXzRRpW0aUGMrCoRNFM_mgyC7wU415b9OeE netty-transport-native-unix-common-4.1.130.Final
fyvH9tjva72wN-tStnD28LZRYWHQTpLYQwWCk8GnBs4 ohc-core-0.5.1
duxW-a2EnNTP-mWjn7wwsvHM82ih2-6t0xGt_MjMAMo ohc-core-j8-0.5.1
tIH52PT8a2ec9E9Ob3nLTfNHxt4WZQEgWzsVwLR-qK8 posix-2.24ea4
llrGpB4QENStOTwDmLyNySK775d5SCHO1X5LHveAHjE psjava-0.1.19
DzNyTdASCZ8HN-PZID4o9KgEQ1UmmY1PWEGZMFhlHLg semver4j-3.1.0
3ocls74sJdRLpBqUUM0DhC-slGbZLcWCyzdpHu6h-Ns sigar-1.6.4
JGY0sTIFfz9ar4MlgxYSXqFG7mtecKzrGUs1aY8Lvxg sjk-cli-0.14
T7akjGCu_3iP7Rmo8ybdjGZOuascOmgs7W7cO3G1YPU sjk-core-0.14
PLsUZe75How8fnzBWLoKvir-tdhtHdS_KZEflj4sm3w sjk-json-0.14
mjXgw_n-2GP6aJxDC1wsUXHoOLO4capXe89kbXQb3fk sjk-stacktrace-0.14
e3UdlSBhlU1av-1xgcH2RdM2CRtnmJFZHWMynGIuuDI slf4j-api-2.0.17
aaRTcEXdvK7Uxo7vB0Ri6xLTJNeVP2LF7NNd9kXorsk snakeyaml-2.1
VbMMlOXEzC1LaXaRYJjQZ4qKbMdCf6jIdWIb2U5zGsg snappy-java-1.1.10.4
2rNFpkjg8hWDVQHSrGvqGmhy9YLFOw39n7boNI8HvmI stream-2.5.2
xVMMb-md8E-awEHhsR_LV3Kn9CGMcn1yc-Cm5ZSLXRI zstd-jni-1.5.7-2
`,
};

export const cassandra41: CassandraBuild = {
  version: '4.1.10',
  jars: `
m0f7rkRP6qxLfgTw6ilFaeS8KCvGnYws4qw_I1dygeI HdrHistogram-2.1.12
WMqrxAyfdLC1mT_YaOD2SlDAdZCU5qJRqq-tmO38ejs ST4-4.0.8
e2O0wAE3i1SOSyfBWYm2XeNjqLm-5L8RA1whvcUMvtw airline-0.8
zj_I7LEPOemjzdy7LONQ0nLZzT0LHhjm_nPDuTichzQ antlr-runtime-3.5.2
zaTeRV-rSP8Ly3xItGOUR9TehZp6_DCglKmG8JNr66I asm-9.1
_wJFhkxtOMISmYG18O_IFGBX_kpVSXwjRa7e1GolE7k caffeine-2.9.2
e4VqwI5tyocPwf8SrgaQv3fTfPJp0X5Ke0ORgsVqiho cassandra-all-4.1.10
pNyILKaqxJbTM4Hl5esGBMRUg7AEvD6sk2jxuxfLJRI checker-qual-3.10.0
xp5sPlHEih_P0BanmGZSfPxgNrBxBi_LfxBlMfVdl3w chronicle-bytes-2.20.111
a13NdGU_rR_tK_ZUr9_eDCZHrUwlRYhxAbdQhbQdaBM chronicle-core-2.20.126
xYF54Qf8y0-j4JG0GlppcIJp1vJgXwlroD3PpFbRrx8 chronicle-queue-5.20.123
u6ZuOd8BXAlf3VGnWHNb2jEyWE9PurL3wB7REWlzP7w chronicle-threads-2.20.111
2yY_lvHCeBE3j1w48627uTA9sbEzwQt8Kr_o7kjqDZ4 chronicle-wire-2.20.117
fAxNwDF1w6ZMWxElkrcDAtiL6XOIiLjAQCmrKeo6NkE commons-cli-1.1
rRnSYBw6vwuUa1w6QRPiJqjB4zBeOVuQATt43ZSnI84 commons-codec-1.9
Tu6ujSDAeKu2SwFewVit04OsWBVxzdxFxo8MmuAjByA commons-lang3-3.18.0
YmipoOo-dp_Ek6IURmZMDvZo5IyT0SZ5H28_dXl4_uI commons-math3-3.2
2N2YOyB-hvWAuiEFdHyycfi5DyS4nHRHST2RJaRy3F0 concurrent-trees-2.4.0
nN3adfShtEaec_ROe2Gj6JfQ9lffR5f5EG_-iMTureA ecj-4.6.1
_4Bia6rxKgk0K-_U6Ey6nVBmL1_Nf3qbNJCmt8-H5mw error_prone_annotations-2.5.1
Y7CdtoYQEef7JIG-d5DH_UsD8LuISz3i7LqII60Zvz8 guava-27.0-jre
5SkwYpDhhJBUQ_KxkIU_sObOFY0V6Orbp8yLIq9SplA high-scale-lib-1.0.6
9UBwNHhjbYj2mfRmYkLm_JF1qZbAjdzq8CEGUXuXBAY hppc-0.8.1
qEhREzANNnMGJYomY0kfuosbdG0Ayg34jTlDmUzA97k ipaddress-5.3.3
Ia8wySJnvWEiwOC00gzMtmQaN-r5VsZUDsRx1YTmSns j2objc-annotations-1.3
5RZ0OjFtz4PFcv_Jy26MXowTSIDIxRVbAvezTpxdw88 jackson-annotations-2.19.2
qnfq8pKTqGjEc3IZT3xSh9d9k3CwTqJdP__B5JBLWIA jackson-core-2.19.2
ChvU6bDWcOYy1A7oxiWtN2IzUC8DwvWIm66pXQJbR6c jackson-databind-2.19.2
lwn0Pg-lYlYz7mbbbAePsejHygIJJpa6lep4Xb8PpqE jackson-datatype-jsr310-2.19.2
gVMPlcPkQgE97TuLuRQi3S1xPQ-oxZtHF5V_oJn8MCk jamm-0.3.2
kcdwRKUMSBY2wy2Rb9ickRinIZU5BFLIEGUID5V95_8 javax.inject-1
4YP29ZQE_B4SBzz-pKzn6hA8kARjzSH7YJp8YX7N9iQ jbcrypt-0.4
XpOEV-ee_L-zq2S8KcQ-xsO5X__No8FV9KhswyDBHhQ jcl-over-slf4j-1.7.25
jGXUL1V0KSUSjVcHnnM39cgMNOH5Nxka0W2qM7WXd6g jcommander-1.30
5zAvFU9j_ExmligW52rNqWmSanVpyjtopi9SvcprRdw jctools-core-3.1.0
6vzHgLRFQ008Wuf6L7ZmXeGnVg1TfSxAio6AzRTScWE jna-5.9.0
LZSE9MZJ9wj0f5pHlGX8cpdw7mVhfcowEYNmAiZPZDk json-simple-1.1
Hn9T-luLXIB-mGujNWZdoD8Y1mCALYvwYYIwidG-5Gg jsr305-2.0.2
oHjANBTLjA2PnOjiADMZyGgicjHrTHvXOI4P8GGFk14 jvm-attach-api-1.5
yExc5Lu2YTaczUx7mWggJ1mKD7Lj1jqEJZ2-XAvx-Uk log4j-over-slf4j-1.7.25
rXRcwkOAWADR679bfeugOzfJWIXmvOcTNac_fW0PFO4 logback-classic-1.2.9
Sp737YCbH7xpkr-H1AQIfCR-epdm4lu4Q3e1jtXJ61g logback-core-1.2.9
10ozNPs1GVAJszipUfkYID1rvKPR01kDPcM-3Rytye8 lz4-java-1.8.0
edkD1K6FDJ3ujTk55b2NQXKpH9pAsxt-QKXYw-H-RTQ metrics-core-3.1.5
nj7KQm9c9hh1BUBqlNOw44DjIxV0CSU_VZxnnm2wFwQ metrics-jvm-3.1.5
I8yzg6u5gjQMMw3IXW-HZvYVerU0mZKaerrxgne-8O8 metrics-logback-3.1.5
d_qJ8LOAyRQLtlzFgsgjAhWDdF92JDP1SE1i9CRmbn8 mxdump-0.14
78vk6vVsROsfG6yP9ByXoz6cNhbHWEHcCR-NETfTQqc netty-all-4.1.58.Final
LA1VeX2_yz2GOeq0lXs3qNeYLzIZbwKbJaL_DjJvEY8 netty-tcnative-boringssl-static-2.0.36.Final
fyvH9tjva72wN-tStnD28LZRYWHQTpLYQwWCk8GnBs4 ohc-core-0.5.1
duxW-a2EnNTP-mWjn7wwsvHM82ih2-6t0xGt_MjMAMo ohc-core-j8-0.5.1
llrGpB4QENStOTwDmLyNySK775d5SCHO1X5LHveAHjE psjava-0.1.19
mVush93Yk-I8DaXzErR6kbWEnFqylIPiGYP5g1y6s48 reporter-config-base-3.0.3
8iNVitxZbbDNgN5A6R5X-Br6EZueFfRVCnHk9eiO_SQ reporter-config3-3.0.3
3ocls74sJdRLpBqUUM0DhC-slGbZLcWCyzdpHu6h-Ns sigar-1.6.4
JGY0sTIFfz9ar4MlgxYSXqFG7mtecKzrGUs1aY8Lvxg sjk-cli-0.14
T7akjGCu_3iP7Rmo8ybdjGZOuascOmgs7W7cO3G1YPU sjk-core-0.14
PLsUZe75How8fnzBWLoKvir-tdhtHdS_KZEflj4sm3w sjk-json-0.14
mjXgw_n-2GP6aJxDC1wsUXHoOLO4capXe89kbXQb3fk sjk-stacktrace-0.14
GMSgCV1cHaa4F1kudnuyPSndL1YK1033X_OWHb3iW3k slf4j-api-1.7.25
2H1gflAIhTVsA8HK5h6MLgXWl9-Hh9WroTSEwut2qEQ snakeyaml-1.26
VbMMlOXEzC1LaXaRYJjQZ4qKbMdCf6jIdWIb2U5zGsg snappy-java-1.1.10.4
B_hx7o68c3CbjsgPl9YahyVP1FxfjViE9Vw0AFDS354 snowball-stemmer-1.3.0.581.1
2rNFpkjg8hWDVQHSrGvqGmhy9YLFOw39n7boNI8HvmI stream-2.5.2
xVMMb-md8E-awEHhsR_LV3Kn9CGMcn1yc-Cm5ZSLXRI zstd-jni-1.5.7-2
`,
};
